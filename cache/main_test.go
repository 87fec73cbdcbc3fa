package cache

import (
	"testing"

	"go.uber.org/goleak"

	"freshet/deploy/pgserver/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }
