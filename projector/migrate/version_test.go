package migrate

import (
	"strings"
	"testing"
)

func TestServerThatIsTooOld(t *testing.T) {
	found := serverFaults(130023, "logical")
	if len(found) != 1 || found[0].Severity != Fault || !strings.Contains(found[0].String(), "Postgres 13: Freshet needs 14") {
		t.Errorf("of version 13: %v", found)
	}
	if found = serverFaults(140000, "logical"); found != nil {
		t.Errorf("of version 14: %v", found)
	}
	if found = serverFaults(180000, "replica"); len(found) != 1 || found[0].Where != "wal_level" {
		t.Errorf("wal_level replica: %v", found)
	}
}
