package shell

import (
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// beInteractive makes sh a shell that a user types at.
func (sh *Shell) beInteractive() {
	sh.opts.monitor = true
	sh.opts.expandAliases = true
	sh.p.Handle(kernel.SIGINT, kernel.SIGWINCH)
	sh.p.Ignore(kernel.SIGTERM, kernel.SIGQUIT)
	if sh.p.IsTTY(0) {
		sh.editor = &editor{sh: sh}
	}
	if sh.get("PS1") == "" {
		sh.set("PS1", sh.defaultPrompt())
	}
	if sh.get("PS2") == "" {
		sh.set("PS2", "> ")
	}
}

// defaultPrompt is what the shell shows without a profile, but for Debian's bash,
// whose /etc/bash.bashrc sets it.
func (sh *Shell) defaultPrompt() string {
	switch sh.dialect {
	case Ash:
		return `\w \$ `
	case Bash:
		if _, err := sh.p.Stat("/usr/bin/dash"); err == nil {
			return `\u@\h:\w\$ `
		}
		return `\s-\v\$ `
	}
	return sh.mark() + " "
}

// prompt is the text that asks for a line, or for more of one.
func (sh *Shell) prompt(more bool) string {
	if more {
		return sh.get("PS2")
	}
	text := sh.get("PS1")
	if sh.dialect == Dash {
		return text
	}
	dir := sh.p.Cwd
	if home := sh.get("HOME"); home != "" && home != "/" && (dir == home || strings.HasPrefix(dir, home+"/")) {
		dir = "~" + dir[len(home):]
	}
	host, _, _ := strings.Cut(sh.p.Hostname(), ".")
	return strings.NewReplacer(
		`\w`, dir, `\W`, dir[strings.LastIndexByte(dir, '/')+1:], `\$`, sh.mark(), `\u`, sh.userName(), `\h`, host, `\H`, sh.p.Hostname(),
		`\s`, sh.name[strings.LastIndexByte(sh.name, '/')+1:], `\v`, "5.2", `\n`, "\n", `\e`, "\x1b", `\[`, "", `\]`, "", `\t`, sh.p.Now().Format("15:04:05"),
		`\\`, `\`,
	).Replace(text)
}

// mark is # for root.
func (sh *Shell) mark() string {
	if sh.p.UID == 0 {
		return "#"
	}
	return "$"
}

func (sh *Shell) userName() string {
	if sh.p.UID == 0 {
		return "root"
	}
	if name := sh.get("USER"); name != "" {
		return name
	}
	return "I have no name!"
}

// ask returns the next line, after a prompt if a user types it.
func (sh *Shell) ask(more bool) (string, error) {
	if !sh.interactive {
		return sh.readCommandLine()
	}
	sh.afterInterrupt()
	sh.tellJobs()
	if sh.editor != nil {
		return sh.editor.readLine(sh.prompt(more))
	}
	_, _ = sh.p.Stderr().Write([]byte(sh.prompt(more)))
	line, err := sh.readCommandLine()
	if err == kernel.EINTR {
		sh.p.Pending()
		_, _ = sh.p.Stderr().Write([]byte("\n"))
		return "", errInterrupted
	}
	return line, err
}

// afterInterrupt ends the line on which ^C was shown while a command ran.
func (sh *Shell) afterInterrupt() {
	for s := sh.p.Pending(); s != 0; s = sh.p.Pending() {
		switch {
		case sh.traps[s] != "":
			sh.runTrap(sh.traps[s])
		case s == kernel.SIGINT:
			sh.interrupted = true
		}
	}
	if sh.interrupted {
		_, _ = sh.p.Stderr().Write([]byte("\n"))
	}
	sh.interrupted = false
}

// tellJobs says which jobs have ended since the last prompt.
func (sh *Shell) tellJobs() {
	for _, j := range sh.jobs {
		if _, ended := j.proc.Ended(); ended && !j.done {
			j.done = true
			_, _ = sh.p.Stderr().Write([]byte(sh.describeJob(j) + "\n"))
		}
	}
}
