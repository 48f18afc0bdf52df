package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheMemoryIsThatOfTheGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		self  string
		files map[string]string
		want  int64
	}{
		"a container":            {"0::/\n", map[string]string{"memory.max": "1000\n"}, 1000},
		"a unit":                 {"0::/system.slice/lojal.service\n", map[string]string{"system.slice/lojal.service/memory.max": "3000\n", "system.slice/memory.max": "max\n"}, 3000},
		"a unit in a small part": {"0::/a/b\n", map[string]string{"a/b/memory.max": "3000", "a/memory.max": "2000"}, 2000},
		"no limit":               {"0::/a\n", map[string]string{"a/memory.max": "max\n"}, 0},
		"the older kind":         {"5:memory:/a\n", map[string]string{"memory.max": "max"}, 0},
		"nothing":                {"", nil, 0},
	} {
		dir := t.TempDir()
		self := filepath.Join(dir, "self")
		for path, text := range c.files {
			path = filepath.Join(dir, "root", path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.self != "" {
			if err := os.WriteFile(self, []byte(c.self), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := groupMemory(self, filepath.Join(dir, "root")); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := bodyMemory(160); got != 10 {
		t.Errorf("bodies: %d", got)
	}
	for _, c := range []struct{ wanted, files, db, callers int }{
		{0, 64, 4, 24}, {0, 1024, 16, 504}, {0, 1 << 20, 16, 10_000}, {0, 0, 0, 10_000}, {7, 64, 7, 7}, {0, 20, 2, 8},
	} {
		if d, n := databaseConnections(c.wanted, c.files), callerConnections(c.wanted, c.files); d != c.db || n != c.callers {
			t.Errorf("%d files, %d wanted: %d connections to the database and %d of callers, want %d and %d", c.files, c.wanted, d, n, c.db, c.callers)
		}
	}
}
