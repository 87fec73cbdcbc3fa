CREATE TABLE tb_user (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username   text NOT NULL UNIQUE,
    full_name  text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tb_post (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    author_id  uuid NOT NULL REFERENCES tb_user ON DELETE CASCADE,
    title      text NOT NULL,
    content    text NOT NULL,
    published  boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tb_post_author_id_idx ON tb_post (author_id);

CREATE TABLE tb_comment (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    post_id    uuid NOT NULL REFERENCES tb_post ON DELETE CASCADE,
    author_id  uuid NOT NULL REFERENCES tb_user ON DELETE CASCADE,
    content    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tb_comment_post_id_idx ON tb_comment (post_id);
CREATE INDEX tb_comment_author_id_idx ON tb_comment (author_id);
