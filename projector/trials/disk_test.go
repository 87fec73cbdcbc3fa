package trials

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of a few megabytes, where that is permitted.
func (w *world) smallDisk(size string) (dir string) {
	w.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(w.server.Dir()), "freshet-disk-")
	must(w.t, err)
	w.t.Cleanup(func() { _ = os.Remove(dir) })
	if err := mountSmall(dir, size); err != nil {
		w.t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	w.t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			w.t.Error(err)
		}
	})
	give(w.t, dir, w.server.Dir())
	return dir
}

// TestFullDisk fills the disk under a read model: the engine waits, says so,
// and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newServer(t, nil)
	r := w.start()
	r.streams(1)
	dir := w.smallDisk("12m")
	w.exec(fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", dir))
	w.exec("ALTER TABLE tv_book SET TABLESPACE small")
	ballast := filepath.Join(dir, "ballast")
	must(t, fill(ballast))
	w.exec("UPDATE tb_book SET title = repeat(md5(id::text), 100) WHERE id <= 800")
	r.retried("No space left on device")
	if n := ask[int](w, "SELECT count(*) FROM tv_book"); n != 1000 {
		t.Errorf("%d documents are served meanwhile", n)
	}
	must(t, os.Remove(ballast))
	w.settle()
	w.exact()
	r.stop()
	w.nothingWaits()
}

// fill writes a file until there is no more room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for {
		if _, err = f.Write(block); err != nil {
			break
		}
	}
	closed := f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return closed
}
