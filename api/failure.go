package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/document"
	"freshet/api/served"
	"freshet/cache"
)

// failure is what a client is told of an error; the whole of it goes to OnError.
func (s *Server) failure(ctx context.Context, err error) *gqlerror.Error {
	var old *cache.TooOldError
	switch {
	case errors.As(err, &old):
		return staleError(old.Have, old.Want)
	case errors.Is(err, errBadValue):
		return coded(codeBadInput, "A value in the arguments does not fit what it is compared with.")
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return coded(codeTimeout, "The request was cancelled.")
	}
	if s.cfg.OnError != nil {
		s.cfg.OnError(ctx, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return coded(codeTimeout, "The data could not be read in the time that a request may take.")
	}
	return coded(codeUnavailable, "The data could not be read just now.")
}

// loader returns the load of a type's documents.
func (s *Server) loader(t *served.Type) cache.Load[*document.Document] {
	return func(ctx context.Context, keys []string) (cache.Loaded[*document.Document], error) {
		values := make(map[string]*document.Document, len(keys))
		at, err := s.store.Documents(ctx, t, keys, func(key string, data []byte) error {
			doc, err := document.Prepare(t.Shape, data)
			if err != nil {
				return fmt.Errorf("%w: %s: %w", cache.ErrBadKey, key, err)
			}
			values[key] = doc
			return nil
		})
		if errors.Is(err, errBadValue) {
			err = fmt.Errorf("%w: %w", cache.ErrBadKey, err)
		}
		return cache.Loaded[*document.Document]{Values: values, Watermark: at.Watermark, Batch: at.Batch}, err
	}
}
