package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// Subcommand is the hidden first argument with which Start runs its own program as the engine.
const Subcommand = "clickhouse"

// Main is the engine child's whole life: it loads the library named by args[0], hands the remaining arguments to
// ClickHouse as `clickhouse local` would get them, and returns the exit code when standard input has been closed by
// the parent and the engine has shut down. It must be called from the main goroutine: the engine expects the
// process's first thread.
func Main(args []string) int {
	runtime.LockOSThread()
	if len(args) < 1 {
		fmt.Fprintln(os.Stderr, "tidemark clickhouse is started by Tidemark itself")
		return 2
	}
	// Ctrl-C in a terminal reaches the whole foreground group; the parent drains first and then closes our input.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP)
	if err := serve(args[0], args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve blocks until the engine has ended.
func serve(lib string, args []string) error {
	h, err := purego.Dlopen(lib, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load the engine library: %w", err)
	}
	// chdb_result *chdb_query_cmdline(int argc, char **argv); const char *chdb_result_error(chdb_result *)
	var cmdline func(argc int32, argv **byte) uintptr
	var resultError func(result uintptr) string
	purego.RegisterLibFunc(&cmdline, h, "chdb_query_cmdline")
	purego.RegisterLibFunc(&resultError, h, "chdb_result_error")

	if err := holdOpen(); err != nil {
		return err
	}
	argv, pin := cStrings(append([]string{Subcommand}, args...))
	defer pin.Unpin()
	result := cmdline(int32(len(argv)-1), &argv[0])
	if result == 0 {
		return errors.New("the engine ended without an answer")
	}
	if msg := resultError(result); msg != "" {
		return fmt.Errorf("the engine ended: %s", msg)
	}
	return nil
}

// holdOpen gives the engine a terminal of its own as standard input and, when the parent closes the real one, ends
// the engine as a person would: by Ctrl-D. Without a terminal the library installs an error handler that aborts the
// whole process when one connection fails, a wrong password being enough; at a terminal it only logs that.
func holdOpen() error {
	parent, err := syscall.Dup(syscall.Stdin)
	if err != nil {
		return fmt.Errorf("keep the parent's pipe: %w", err)
	}
	syscall.CloseOnExec(parent)
	keyboard, terminal, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open a terminal for the engine: %w", err)
	}
	defer terminal.Close()
	if err := unix.Dup2(int(terminal.Fd()), syscall.Stdin); err != nil {
		return fmt.Errorf("give the engine its terminal: %w", err)
	}
	go io.Copy(io.Discard, keyboard) // its echo
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(uintptr(parent), "parent"))
		for range 10 {
			_, _ = keyboard.Write([]byte{4}) // Ctrl-D; where a statement still runs, it is not read yet
			time.Sleep(100 * time.Millisecond)
		}
		keyboard.Close()
	}()
	return nil
}

// cStrings lays out a NULL-terminated argv whose memory does not move until it is unpinned.
func cStrings(args []string) ([]*byte, *runtime.Pinner) {
	pin := new(runtime.Pinner)
	argv := make([]*byte, len(args)+1)
	for i, a := range args {
		b := append([]byte(a), 0)
		pin.Pin(&b[0])
		argv[i] = &b[0]
	}
	pin.Pin(&argv[0])
	return argv, pin
}
