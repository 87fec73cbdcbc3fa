// Answers the cases of the differential test as graphql-js does, over the same
// schema and the same documents. Reads JSON lines: {"world": …} gives schema and
// documents for the cases after it, {"q", "v", "op"} is a case. Writes a line
// with the answer's bytes for each case.
'use strict'
const { buildSchema, parse, validate, execute, getNamedType, isListType, getNullableType, isInputObjectType, isObjectType } = require('graphql')
const { collectSubfields } = require('graphql/execution/collectFields')

const readers = {
  // One field of Query each: args → value.
  key: (w, r) => args => document(w, r.type, args[r.arg]),
  unique: (w, r) => args => {
    for (const [key, doc] of Object.entries(w.docs[r.type])) {
      if (doc[r.arg] != null && String(doc[r.arg]) === String(args[r.arg])) return document(w, r.type, key)
    }
    return null
  },
  keys: (w, r) => args => args[r.arg].map(key => document(w, r.type, key)),
  node: w => args => {
    const [type, key] = fromNodeID(args.id)
    return w.types[type]?.stored ? document(w, type, key) : null
  },
  list: (w, r, field) => args => {
    const terms = orderOf(w, r.type, args)
    let rows = matching(w, r.type, args, field, terms)
    const all = rows
    let beyond = false
    const edge = (cursor, side) => {
      if (cursor == null) return
      const at = JSON.parse(Buffer.from(cursor, 'base64url').subarray(16).toString())
      const inside = x => side * compareRows(terms, x.order, at) > 0
      beyond = beyond || (!all.every(inside) && (args.last == null) === (side > 0))
      rows = rows.filter(inside)
    }
    edge(args.after, 1)
    edge(args.before, -1)
    const size = args.first ?? args.last ?? 20
    const more = rows.length > size
    rows = args.last == null ? rows.slice(0, size) : rows.slice(Math.max(0, rows.length - size))
    const cursor = row => row ? 'cursor:' + JSON.stringify(row.order) : null
    const nodes = rows.map(x => document(w, r.type, x.key))
    return {
      nodes, totalCount: all.length, aggregate: aggregate(w, r.type, all, field),
      edges: rows.map((x, i) => ({ cursor: cursor(x), node: nodes[i] })),
      pageInfo: {
        hasNextPage: args.last == null ? more : beyond, hasPreviousPage: args.last == null ? beyond : more,
        startCursor: cursor(rows[0]), endCursor: cursor(rows.at(-1)),
      },
    }
  },
  plain: (w, r, field) => args => matching(w, r.type, args, field, orderOf(w, r.type, args))
    .slice(args.offset ?? 0).slice(0, args.limit ?? 20).map(x => document(w, r.type, x.key)),
}

// An object is {type, sel, v}: its type, which of its members are there, and those.
function document(w, type, key) {
  const v = w.docs[type][key]
  return v === undefined ? null : { type, sel: w.types[type].sel, v }
}

function toNodeID(type, key) { return Buffer.from(type + ':' + key).toString('base64url') }
function fromNodeID(id) {
  const text = Buffer.from(id, 'base64url').toString(), at = text.indexOf(':')
  return toNodeID(text.slice(0, at), text.slice(at + 1)) === id ? [text.slice(0, at), text.slice(at + 1)] : []
}

// matching returns the rows that a list has, in its order.
function matching(w, type, args, field, terms) {
  const filter = getNamedType(field.args.find(a => a.name === 'where').type)
  const rows = []
  for (const [key, v] of Object.entries(w.docs[type])) {
    if (args.where == null || holds(args.where, filter, filter, v)) {
      rows.push({ key, v, order: terms.map(t => textOf(at(v, t.path))) })
    }
  }
  return rows.sort((a, b) => compareRows(terms, a.order, b.order))
}

function at(v, path) {
  for (const name of path) v = v?.[name]
  return v ?? null
}
function textOf(v) { return v == null ? null : String(v) }

const numeric = new Set(['Int', 'Float', 'BigInt', 'Decimal'])
function compare(leaf, a, b) {
  if (numeric.has(leaf)) [a, b] = [Number(a), Number(b)]
  return a < b ? -1 : a > b ? 1 : 0
}

function orderOf(w, type, args) {
  const keyName = w.types[type].key
  const terms = []
  for (const item of args.orderBy ?? []) {
    let path = [], value = item
    while (typeof value === 'object') {
      const [name] = Object.keys(value)
      path.push(name)
      value = value[name]
    }
    if (terms.some(t => t.path.join('.') === path.join('.'))) continue
    const desc = value.startsWith('DESC')
    terms.push({ path, leaf: leafOf(w, type, path), desc, nullsFirst: value.endsWith('FIRST') || (desc && !value.endsWith('LAST')) })
    if (path.length === 1 && path[0] === keyName) return terms
  }
  const last = terms.at(-1)
  terms.push({ path: [keyName], leaf: 'ID', desc: last?.desc ?? false, nullsFirst: last?.desc ?? false })
  return terms
}
function leafOf(w, type, path) {
  let t = w.schema.getType(type)
  for (const name of path) t = getNamedType(t.getFields()[name].type)
  return t.name
}
function compareRows(terms, a, b) {
  for (const [i, t] of terms.entries()) {
    if (a[i] === null && b[i] === null) continue
    if (a[i] === null || b[i] === null) return (a[i] === null) === t.nullsFirst ? -1 : 1
    const c = compare(t.leaf, a[i], b[i])
    if (c) return t.desc ? -c : c
  }
  return 0
}

// holds evaluates a where argument.
function holds(where, type, root, v) {
  return Object.entries(where).every(([name, given]) => {
    const field = type.getFields()[name], inner = getNamedType(field.type)
    if (given === null) return true
    if (inner === root) {
      if (!isListType(field.type)) return !holds(given, root, root, v)
      return name.replace('_', '') === 'and' ? given.every(g => holds(g, root, root, v)) : given.some(g => holds(g, root, root, v))
    }
    if (!inner.getFields().isNull) return holds(given, inner, root, v?.[name])
    const leaf = getNamedType(inner.getFields().eq.type).name
    return Object.entries(given).every(([op, operand]) => operators[op](v?.[name] ?? null, operand, leaf))
  })
}
const isOne = (v, list) => list.some(x => String(x) === String(v))
const operators = {
  isNull: (v, b) => (v === null) === b,
  eq: (v, x, leaf) => x === null ? v === null : v !== null && compare(leaf, v, x) === 0,
  ne: (v, x) => x === null ? v !== null : v === null || String(v) !== String(x),
  in: (v, list) => v !== null && isOne(v, list),
  nin: (v, list) => v === null || !isOne(v, list),
  lt: (v, x, leaf) => v !== null && compare(leaf, v, x) < 0,
  lte: (v, x, leaf) => v !== null && compare(leaf, v, x) <= 0,
  gt: (v, x, leaf) => v !== null && compare(leaf, v, x) > 0,
  gte: (v, x, leaf) => v !== null && compare(leaf, v, x) >= 0,
  startsWith: (v, x) => v !== null && v.startsWith(x),
  contains: (v, x) => v !== null && v.includes(x),
}

// aggregate returns what a list comes to.
function aggregate(w, type, rows, field) {
  const of = getNamedType(getNamedType(field.type).getFields().aggregate.type)
  const out = { count: rows.length }
  for (const [fn, f] of Object.entries(of.getFields())) {
    if (fn !== 'count') out[fn] = aggregateObject(w, type, rows, fn, getNamedType(f.type), [])
  }
  return out
}
function aggregateObject(w, type, rows, fn, of, path) {
  const out = {}
  for (const [name, f] of Object.entries(of.getFields())) {
    const here = [...path, name]
    out[name] = isObjectType(getNamedType(f.type))
      ? aggregateObject(w, type, rows, fn, getNamedType(f.type), here)
      : aggregateValue(fn, getNamedType(f.type).name, leafOf(w, type, here), rows.map(x => at(x.v, here)).filter(v => v !== null))
  }
  return out
}
function aggregateValue(fn, as, leaf, values) {
  if (values.length === 0) return null
  values.sort((a, b) => compare(leaf, a, b))
  const total = values.reduce((sum, v) => sum + Number(v), 0)
  const v = { min: values[0], max: values.at(-1), sum: total, avg: total / values.length }[fn]
  return as === 'Int' || as === 'Float' ? Number(v) : String(v)
}

// The objects of the model's types: members, and for relations what is
// embedded, or the whole document where something selected is not.
function resolver(w, type, field) {
  if (field.name === 'nodeId') return o => toNodeID(o.type, o.v[w.types[type.name].key])
  const target = w.types[getNamedType(field.type).name]
  if (!target) return o => o.v[field.name] ?? null
  const targetType = getNamedType(field.type)
  return (o, _args, _context, info) => {
    const value = o.v[field.name] ?? null, sel = o.sel[field.name]
    const load = target.stored && !embedded(info, targetType, sel)
    const one = v => v === null ? null : load ? document(w, targetType.name, v[target.key]) : { type: targetType.name, sel, v }
    if (value === null || !isListType(getNullableType(field.type))) return value === null ? null : one(value)
    return value.map(v => [v, one(v)]).filter(([v, x]) => v === null || x !== null).map(([, x]) => x)
  }
}
function embedded(info, type, sel) {
  for (const nodes of collectSubfields(info.schema, info.fragments, info.variableValues, type, info.fieldNodes).values()) {
    const name = nodes[0].name.value
    if (name !== '__typename' && name !== 'nodeId' && !(name in sel)) return false
  }
  return true
}

function load(w) {
  w.schema = buildSchema(w.sdl)
  for (const name of Object.keys(w.types)) {
    const type = w.schema.getType(name)
    type.isTypeOf = o => o.type === name
    for (const f of Object.values(type.getFields())) f.resolve = resolver(w, type, f)
  }
  for (const f of Object.values(w.schema.getQueryType().getFields())) {
    const read = readers[w.roots[f.name].kind](w, w.roots[f.name], f)
    f.resolve = (_source, args) => read(args)
  }
  return w
}

function answer(w, c) {
  let document
  try {
    document = parse(c.q)
  } catch (e) {
    return { errors: [e] }
  }
  const errors = validate(w.schema, document)
  if (errors.length > 0) return { errors }
  const result = execute({ schema: w.schema, document, variableValues: c.v ?? undefined, operationName: c.op || undefined })
  // An operation that the schema does not have is an error of the request here.
  if (result.errors?.[0].message.startsWith('Schema is not configured')) return { errors: result.errors }
  return result
}

let world
const out = []
for (const line of require('fs').readFileSync(0, 'utf8').split('\n')) {
  if (line === '') continue
  const c = JSON.parse(line)
  if (c.world) {
    world = load(c.world)
    continue
  }
  let text
  try {
    text = JSON.stringify(answer(world, c))
  } catch (e) {
    text = 'the reference failed: ' + e.stack.replaceAll('\n', ' | ')
  }
  out.push(text)
}
process.stdout.write(out.join('\n') + '\n')
