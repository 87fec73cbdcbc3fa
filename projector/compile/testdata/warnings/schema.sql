CREATE TABLE tb_author (id uuid PRIMARY KEY, pen_name text NOT NULL);
CREATE TABLE tb_book (
    id        uuid PRIMARY KEY,
    author_id uuid NOT NULL,                       -- no constraint, no index
    editor_id uuid NOT NULL,                       -- not validated, no index
    title     text NOT NULL
);
ALTER TABLE tb_book ADD CONSTRAINT tb_book_editor_fk FOREIGN KEY (editor_id) REFERENCES tb_author NOT VALID;
-- Neither a key nor an index.
CREATE TABLE tb_award (book_id uuid REFERENCES tb_book, name text NOT NULL);
CREATE TABLE tb_sale (id bigint, book_id uuid REFERENCES tb_book, amount numeric NOT NULL, PRIMARY KEY (id, book_id)) PARTITION BY HASH (book_id);
CREATE TABLE tb_sale_0 PARTITION OF tb_sale FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE tb_sale_1 PARTITION OF tb_sale FOR VALUES WITH (MODULUS 2, REMAINDER 1);
