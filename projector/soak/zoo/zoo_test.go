package zoo

import (
	"testing"

	"freshet/model"
)

func TestParses(t *testing.T) {
	_, ds := model.Parse(ModelFile, Model)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
}
