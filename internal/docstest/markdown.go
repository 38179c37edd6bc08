// Package docstest reads the code blocks of the documentation. Its tests compile every Go block and run every command,
// so that what a newcomer copies works.
package docstest

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is one fenced code block.
type Block struct {
	// File is the file the block stands in, and Line the line of its first line of text.
	File string
	Line int
	// Lang is the word after the fence: "go", "sh" or whatever stands there.
	Lang string
	// Options come from a comment in front of the block: <!-- go: preamble=gin module=integrations --> sets preamble, and
	// module, the directory of the module the block is compiled in. Default the root.
	Options map[string]string
	// Text is what stands between the fences.
	Text string
}

var (
	fence   = regexp.MustCompile("^([ \t]*)(`{3,}|~{3,})[ \t]*([^\\s`]*)[^`]*$")
	nested  = regexp.MustCompile("^[-+*>\\s]*(\\d+[.)]\\s*)?(```|~~~)[^`]*$")
	comment = regexp.MustCompile(`^\s*<!--\s*(\w+):\s*(.*?)\s*-->\s*$`)
)

// Blocks returns the code blocks of a Markdown file. What it could not read as a reader sees it is an error: a fence
// that never ends, one behind a quotation mark or on the line of a list item, an option without a block.
func Blocks(file, text string) ([]Block, error) {
	var (
		blocks []Block
		lines  = strings.Split(text, "\n")
		lang   string // of the options
		opts   map[string]string
	)
	for i := 0; i < len(lines); i++ {
		open := fence.FindStringSubmatch(lines[i])
		if open == nil {
			switch note := comment.FindStringSubmatch(lines[i]); {
			case nested.MatchString(lines[i]):
				return nil, fmt.Errorf("%s:%d: put the fence on a line of its own", file, i+1)
			case opts != nil && strings.TrimSpace(lines[i]) != "":
				return nil, fmt.Errorf("%s:%d: the options above belong to no %s block", file, i+1, lang)
			case note != nil:
				var err error
				if lang, opts, err = options(note); err != nil {
					return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
				}
			}
			continue
		}
		end := closing(lines, i+1, open[2])
		if end < 0 {
			return nil, fmt.Errorf("%s:%d: the block never ends", file, i+1)
		}
		b := Block{File: file, Line: i + 2, Lang: open[3], Options: opts, Text: outdent(lines[i+1:end], open[1])}
		if opts != nil && lang != b.Lang {
			return nil, fmt.Errorf("%s:%d: the options above belong to no %s block", file, i+1, lang)
		}
		blocks, opts, i = append(blocks, b), nil, end
	}
	if opts != nil {
		return nil, fmt.Errorf("%s: the last options belong to no %s block", file, lang)
	}
	return blocks, nil
}

// options reads "preamble=gin" of a comment for Go or shell blocks. Other comments have none.
func options(note []string) (lang string, opts map[string]string, err error) {
	lang = note[1]
	if lang != "go" && lang != "sh" {
		return "", nil, nil
	}
	opts = map[string]string{}
	for _, word := range strings.Fields(note[2]) {
		key, value, _ := strings.Cut(word, "=")
		if known := lang + " " + key; known != "go preamble" && known != "go module" && known != "sh status" {
			return "", nil, fmt.Errorf("unknown option %q for a %s block", key, lang)
		}
		opts[key] = value
	}
	return lang, opts, nil
}

func closing(lines []string, from int, mark string) int {
	for i := from; i < len(lines); i++ {
		rest := strings.TrimSpace(lines[i])
		if len(rest) >= len(mark) && strings.Trim(rest, mark[:1]) == "" {
			return i
		}
	}
	return -1
}

func outdent(lines []string, indent string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimPrefix(line, indent) + "\n")
	}
	return b.String()
}
