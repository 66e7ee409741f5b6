// The demo shop: a real little system that sends real telemetry to Tidemark,
// with customers of its own and switches that break it. One process runs every
// service on a loopback port of its own; see internal/shop for what they do.
//
//	tidemark-demo [flags]                     run the shop until interrupted
//	tidemark-demo fault NAME on|off [flags]   switch a fault of the running shop
//	tidemark-demo faults [flags]              list the faults and their state
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/control"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0 done, 1 failed, 2 misused.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 && (args[0] == "fault" || args[0] == "faults") {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "fault":
		err = setFault(ctx, args, stdout, stderr)
	case "faults":
		err = listFaults(ctx, args, stdout, stderr)
	default:
		err = serve(ctx, args, stdout, stderr)
	}
	var misuse usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &misuse):
		fmt.Fprintln(stderr, "tidemark-demo:", err)
		return 2
	}
	fmt.Fprintln(stderr, "tidemark-demo:", err)
	return 1
}

type usageError string

func (e usageError) Error() string { return string(e) }

// defaultControl is where a demo listens, and where the commands look for it.
const defaultControl = "127.0.0.1:8090"

// parse reads flags that may stand before, between or behind the operands.
func parse(name string, args []string, stderr io.Writer, define func(*flag.FlagSet)) (operands []string, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	define(flags)
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError(err.Error())
		}
		if flags.NArg() == 0 {
			return operands, nil
		}
		operands, args = append(operands, flags.Arg(0)), flags.Args()[1:]
	}
}

func setFault(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var client control.Client
	operands, err := parse("tidemark-demo fault NAME on|off", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&client.Address, "control-addr", defaultControl, "address of the running demo")
	})
	if err != nil {
		return err
	}
	if len(operands) != 2 || (operands[1] != "on" && operands[1] != "off") {
		return usageError("usage: tidemark-demo fault NAME on|off; `tidemark-demo faults` lists the names")
	}
	state, err := client.SetFault(ctx, operands[0], operands[1] == "on")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is %s: %s\n", state.Name, onOff(state.On), state.Description)
	return nil
}

func listFaults(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var client control.Client
	operands, err := parse("tidemark-demo faults", args, stderr, func(f *flag.FlagSet) {
		f.StringVar(&client.Address, "control-addr", defaultControl, "address of the running demo")
	})
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return usageError(fmt.Sprintf("faults takes no %q", operands[0]))
	}
	states, err := client.Faults(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	for _, s := range states {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, onOff(s.On), s.Description)
	}
	return table.Flush()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
