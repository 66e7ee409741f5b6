package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/cpu"
)

// LibraryEnv names the environment variable that points at the engine library.
const LibraryEnv = "TIDEMARK_ENGINE_LIB"

// Library finds the engine library: the one given, else the environment's, else lib/ beside the program.
func Library(given string) (string, error) {
	if err := supported(); err != nil {
		return "", err
	}
	for _, path := range []string{given, os.Getenv(LibraryEnv)} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("the engine library %s is not there: correct --engine-lib, or run `make build` and leave the flag out", path)
		}
		return filepath.Abs(path)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the engine library beside the program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	for _, name := range []string{"libchdb.so", "libchdb.dylib"} {
		path := filepath.Join(filepath.Dir(self), "lib", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("the engine library is missing from %s: run `make build`, or use your own ClickHouse with --clickhouse-dsn",
		filepath.Join(filepath.Dir(self), "lib"))
}

// supported says in a sentence why the embedded engine cannot run on this machine.
func supported() error {
	const instead = "use your own ClickHouse with --clickhouse-dsn"
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64", "darwin/amd64":
		if !cpu.X86.HasSSE42 || !cpu.X86.HasPOPCNT {
			return fmt.Errorf("this processor lacks SSE 4.2, which the embedded engine needs: %s", instead)
		}
	case "linux/arm64", "darwin/arm64":
	default:
		return fmt.Errorf("the embedded engine does not run on %s/%s: %s", runtime.GOOS, runtime.GOARCH, instead)
	}
	return nil
}
