// Serves the blog as a GraphQL API of mercurius with loaders, compiled queries
// included, for the benchmark to compare with. It reads DATABASE_URL.
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { connections, run } from "../cluster.mjs";

const schema = `
  type Query { post(id: ID!): Post }
  type User { id: ID! username: String! fullName: String }
  type Post {
    id: ID! title: String! content: String! published: Boolean! createdAt: String!
    author: User! comments: [Comment!]! commentCount: Int!
  }
  type Comment { id: ID! content: String! createdAt: String! author: User! }
`;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: connections });

// select runs a prepared statement.
async function select(name, text, ...values) {
  return (await pool.query({ name, text, values })).rows;
}

const createdAt = (row) => row.created_at.toISOString();

// authors is the loader of the authors of posts and of comments.
async function authors(queries) {
  const rows = await select(
    "authors",
    'SELECT id, username, full_name AS "fullName" FROM tb_user WHERE id = ANY($1)',
    [...new Set(queries.map(({ obj }) => obj.author_id))],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return queries.map(({ obj }) => found.get(obj.author_id));
}

async function comments(queries) {
  const found = new Map(queries.map(({ obj }) => [obj.id, []]));
  const rows = await select(
    "comments",
    `SELECT c.* FROM unnest($1::uuid[]) AS p(id) CROSS JOIN LATERAL
      (SELECT * FROM tb_comment WHERE post_id = p.id ORDER BY created_at DESC, id LIMIT 50) c`,
    [...found.keys()],
  );
  for (const row of rows) found.get(row.post_id).push(row);
  return queries.map(({ obj }) => found.get(obj.id));
}

async function commentCounts(queries) {
  const rows = await select(
    "counts",
    "SELECT post_id, count(*)::int AS count FROM tb_comment WHERE post_id = ANY($1) GROUP BY post_id",
    queries.map(({ obj }) => obj.id),
  );
  const found = new Map(rows.map((row) => [row.post_id, row.count]));
  return queries.map(({ obj }) => found.get(obj.id) ?? 0);
}

const resolvers = {
  Query: {
    post: async (_, { id }) => (await select("post", "SELECT * FROM tb_post WHERE id = $1", id))[0] ?? null,
  },
  Post: { createdAt },
  Comment: { createdAt },
};

// once makes a loader that asks for each key once by itself: its results need
// no cache, which would write out every object as a key.
const once = (loader) => ({ loader, opts: { cache: false } });

const loaders = {
  Post: { author: once(authors), comments: once(comments), commentCount: once(commentCounts) },
  Comment: { author: once(authors) },
};

await run(async (port, host) => {
  const app = Fastify();
  app.register(mercurius, { schema, resolvers, loaders, jit: 1 });
  await app.listen({ port, host });
});
