package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
)

// What a header line says of the body's length, if it is not a number of bytes.
const (
	unsaid  = -1
	chunked = -2 // the body comes in chunks
)

var (
	contentLength    = []byte("Content-Length:")
	transferEncoding = []byte("Transfer-Encoding:")
)

// framing returns what a header line says of the body's length. The names of
// headers are the same in capitals and in small letters.
func framing(line []byte) (int, error) {
	if value, ok := valueOf(line, contentLength); ok {
		length, err := strconv.Atoi(string(value))
		if err != nil || length < 0 {
			return unsaid, fmt.Errorf("an answer of %q bytes", value)
		}
		return length, nil
	}
	if value, ok := valueOf(line, transferEncoding); ok && bytes.EqualFold(value, []byte("chunked")) {
		return chunked, nil
	}
	return unsaid, nil
}

// valueOf returns a header line's value if it has the name, which ends with the
// colon.
func valueOf(line, name []byte) ([]byte, bool) {
	if len(line) < len(name) || line[len(name)-1] != ':' || !bytes.EqualFold(line[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

// chunks reads a body that comes in chunks, into the space of body if that is
// enough, and what ends it.
func chunks(in *bufio.Reader, body []byte) ([]byte, error) {
	b := bytes.NewBuffer(body[:0])
	if _, err := b.ReadFrom(httputil.NewChunkedReader(in)); err != nil {
		return nil, err
	}
	for { // trailers, up to an empty line
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			return b.Bytes(), nil
		}
	}
}
