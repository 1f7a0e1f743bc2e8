// Command spillway ships logs from a host.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	_ "github.com/spillway/spillway/inputs/all"
	_ "github.com/spillway/spillway/outputs/all"
	_ "github.com/spillway/spillway/processors/all"
)

type commands struct {
	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Run        runCmd        `cmd:"" help:"Run the pipelines of a configuration."`
	Validate   validateCmd   `cmd:"" help:"Check a configuration without running it."`
	Test       testCmd       `cmd:"" help:"Run the tests written in a configuration."`
	Check      checkCmd      `cmd:"" help:"Reach for the peers of all components, and say what is wrong with those that cannot be used."`
	Audit      auditCmd      `cmd:"" help:"Show that what was read is delivered, pending or accounted for."`
	Spool      spoolCmd      `cmd:"" help:"Look into spools; works beside a running process."`
	Demo       demoCmd       `cmd:"" help:"Watch Spillway ship logs that it writes itself."`
	List       listCmd       `cmd:"" help:"List the inputs, processors and outputs of this build."`
	Docs       docsCmd       `cmd:"" help:"Show the reference of a component, or write all reference pages."`
	Schema     schemaCmd     `cmd:"" help:"Print the JSON schema of the configuration."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Print a shell's completion script."`
}

// Exit codes.
const (
	exitFailed = 1   // it failed while running, a test failed, data_dir is taken
	exitUsage  = 2   // the configuration or the command line is wrong
	exitForced = 130 // ended by a second signal
)

// exitError carries an exit code. Its message has been, or need not be, told if
// err is nil.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage marks err as a mistake in the configuration or the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

func main() { os.Exit(spillway(os.Args[1:])) }

func spillway(args []string) int {
	var c commands
	parser := kong.Must(&c,
		kong.Name("spillway"),
		kong.Description("A written line reaches every output once."),
		kong.Vars{"version": versionLine()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "spillway: %v\nTry spillway --help.\n", err)
		return exitUsage
	}
	err = ctx.Run(parser)
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintf(os.Stderr, "spillway: %v\n", exit.err)
		}
		return exit.code
	default:
		fmt.Fprintf(os.Stderr, "spillway: %v\n", err)
		return exitFailed
	}
}
