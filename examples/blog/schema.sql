CREATE TABLE tb_user (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username   text NOT NULL UNIQUE,
    full_name  text,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A user stands in many documents: in posts with all names, in comments with the
-- user name only. With the whole old row in the log Freshet sees that a change of
-- full_name leaves the comments alone.
ALTER TABLE tb_user REPLICA IDENTITY FULL;

CREATE TABLE tb_post (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    author_id  uuid NOT NULL REFERENCES tb_user ON DELETE CASCADE,
    title      text NOT NULL,
    content    text NOT NULL,
    published  boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- Indexes that begin with the foreign key and go on with the order of the
-- model's list: the first fifty comments of a post with five thousand are then
-- fifty rows to read.
CREATE INDEX tb_post_author_id_idx ON tb_post (author_id, created_at DESC, id);

CREATE TABLE tb_comment (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    post_id    uuid NOT NULL REFERENCES tb_post ON DELETE CASCADE,
    author_id  uuid NOT NULL REFERENCES tb_user ON DELETE CASCADE,
    content    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tb_comment_post_id_idx ON tb_comment (post_id, created_at DESC, id);
CREATE INDEX tb_comment_author_id_idx ON tb_comment (author_id);
