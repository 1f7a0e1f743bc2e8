package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/registry"
	"github.com/spillway/spillway/pipeline"
)

// Page is one reference page.
type Page struct {
	// Component is the component's name; empty for the page on the document.
	Component string
	// File is the page's file name.
	File string
	Text []byte
}

// Pages makes all pages. What a component's folder says by hand about its purpose
// and its failures, in doc.md, is taken from the source tree at root; nil leaves
// it out.
func Pages(root fs.FS) ([]Page, error) {
	pages := []Page{documentPage()}
	for _, k := range Kinds() {
		for _, e := range k.Entries {
			p, err := componentPage(k, e, root)
			if err != nil {
				return nil, err
			}
			pages = append(pages, p)
		}
	}
	return pages, nil
}

func documentPage() Page {
	var b bytes.Buffer
	b.WriteString("# Configuration\n\nOne YAML file, or a folder of them.\n\n")
	table(&b, config.Fields(pipeline.Default()), "")
	b.WriteString("\n## A pipeline\n\n")
	p := pipeline.DefaultConfig()
	type plain pipeline.Config
	table(&b, config.Fields((*plain)(&p)), "")
	b.WriteString("\n## Components\n")
	for _, k := range Kinds() {
		fmt.Fprintf(&b, "\n%ss:\n\n", strings.ToUpper(k.Name[:1])+k.Name[1:])
		for _, e := range k.Entries {
			fmt.Fprintf(&b, "- [`%s`](%s): %s\n", e.Name, file(k, e), e.Summary)
		}
	}
	return Page{File: "README.md", Text: b.Bytes()}
}

func file(k Kind, e registry.Entry) string { return fmt.Sprintf("%s-%s.md", k.Name, e.Name) }

func componentPage(k Kind, e registry.Entry, root fs.FS) (Page, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The `%s` %s\n\n%s\n\n", e.Name, k.Name, e.Summary)
	if root != nil {
		text, err := fs.ReadFile(root, fmt.Sprintf("%ss/%s/doc.md", k.Name, e.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Page{}, err
		}
		if len(text) > 0 {
			b.Write(bytes.TrimSpace(text))
			b.WriteString("\n\n")
		}
	}
	fields := config.Fields(e.Default())
	if k.common != nil {
		fields = append(config.Fields(k.common), fields...)
	}
	if len(fields) > 0 {
		b.WriteString("## Keys\n\n")
		table(&b, fields, "")
	}
	return Page{Component: e.Name, File: file(k, e), Text: b.Bytes()}, nil
}

// table writes the keys as rows, nested ones under their dotted names.
func table(b *bytes.Buffer, fields []config.Field, prefix string) {
	if prefix == "" {
		b.WriteString("| key | type | default | |\n| --- | --- | --- | --- |\n")
	}
	for _, f := range fields {
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, f.Name, f.Type, code(f.Default), cell(describe(f)))
		table(b, f.Fields, prefix+f.Name+".")
	}
}

func describe(f config.Field) string {
	parts := []string{f.Doc}
	if f.Required {
		parts = append(parts, "Required.")
	}
	if len(f.OneOf) > 0 {
		parts = append(parts, "One of `"+strings.Join(f.OneOf, "`, `")+"`.")
	}
	switch {
	case f.Min != "" && f.Max != "":
		parts = append(parts, fmt.Sprintf("From %s to %s.", f.Min, f.Max))
	case f.Min != "":
		parts = append(parts, fmt.Sprintf("At least %s.", f.Min))
	case f.Max != "":
		parts = append(parts, fmt.Sprintf("At most %s.", f.Max))
	}
	if f.Example != "" {
		parts = append(parts, "Example: `"+f.Example+"`.")
	}
	return strings.Join(parts, " ")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "|", `\|`) }

// Write writes the pages and the schema into dir, and removes pages of components
// that are no more.
func Write(dir string, pages []Page) error {
	schema, err := json.MarshalIndent(Schema(), "", "  ")
	if err != nil {
		return err
	}
	pages = append(pages, Page{File: "schema.json", Text: append(schema, '\n')})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, p := range pages {
		keep[p.File] = true
		if err := os.WriteFile(filepath.Join(dir, p.File), p.Text, 0o644); err != nil {
			return err
		}
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range old {
		if !keep[e.Name()] && strings.HasSuffix(e.Name(), ".md") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
