// Freshet's own: starts GraphiQL on the API of this server.
'use strict';
(() => {
  const welcome = `# Freshet. Ctrl-Space completes, Ctrl-Enter runs; the book on the left shows the schema.
#
# Under "Headers" a request can ask for freshness:
#   {"Freshet-Consistency": "strong"}          all that is committed by now
#   {"Freshet-Min-LSN": "0/16B3748"}           at least this
# and the answer's Freshet-LSN header says what it was read at.
#
# The fields of Query are those of Subscription, too: a live query is answered again
# whenever its answer changes.

query Fields {
  __schema {
    queryType {
      fields {
        name
        description
      }
    }
  }
}
`
  // isSubscription says whether the operation that is to be run is one.
  function isSubscription({ operationName }, opts) {
    const operations = (opts?.documentAST?.definitions ?? []).filter(d => d.kind === 'OperationDefinition')
    const chosen = operationName ? operations.find(d => d.name?.value === operationName) : operations[0]
    return chosen?.operation === 'subscription'
  }

  // follow yields the answers of a subscription, from an event stream.
  async function* follow(url, params, opts) {
    const abort = new AbortController()
    try {
      const res = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...opts?.headers, Accept: 'text/event-stream' },
        body: JSON.stringify(params),
        signal: abort.signal,
      })
      if (!res.ok) {
        yield await res.json()
        return
      }
      const reader = res.body.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return
        const events = (text + value).split('\n\n')
        text = events.pop()
        for (const lines of events.map(e => e.split('\n'))) {
          if (lines.includes('event: complete')) return
          const data = lines.find(l => l.startsWith('data: '))
          if (data) yield JSON.parse(data.slice('data: '.length))
        }
      }
    } finally {
      abort.abort()
    }
  }

  const root = ReactDOM.createRoot(document.getElementById('graphiql'))
  const url = new URL('graphql', document.baseURI).href
  const fetchOnce = GraphiQL.createFetcher({ url })
  const fetcher = (params, opts) => (isSubscription(params, opts) ? follow(url, params, opts) : fetchOnce(params, opts))
  const linked = new URLSearchParams(location.search)
  root.render(React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: welcome,
    query: linked.get('query') ?? undefined,
    variables: linked.get('variables') ?? undefined,
    defaultEditorToolsVisibility: true,
  }))
})()
