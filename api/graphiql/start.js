// Freshet's own: starts GraphiQL on the API of this server.
'use strict';
(() => {
  const welcome = `# Freshet. Ctrl-Space completes, Ctrl-Enter runs; the book on the left shows the schema.
#
# Under "Headers" a request can ask for freshness:
#   {"Freshet-Consistency": "strong"}          all that is committed by now
#   {"Freshet-Min-LSN": "0/16B3748"}           at least this
# and the answer's Freshet-LSN header says what it was read at.

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
  const root = ReactDOM.createRoot(document.getElementById('graphiql'))
  const fetcher = GraphiQL.createFetcher({ url: new URL('graphql', document.baseURI).href })
  const linked = new URLSearchParams(location.search)
  root.render(React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: welcome,
    query: linked.get('query') ?? undefined,
    variables: linked.get('variables') ?? undefined,
    defaultEditorToolsVisibility: true,
  }))
})()
