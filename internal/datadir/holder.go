package datadir

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// HolderFile is the name of the file with the number of the process that has the folder.
const HolderFile = "kubesim.pid"

// Hold says that this process has the folder. It must have the store's lock: that, not
// this file, keeps others out.
func (d *Dir) Hold() error {
	if err := os.WriteFile(d.File(HolderFile), fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		return fmt.Errorf("data directory %s: %w", d.Path, advise(Cause(err)))
	}
	return nil
}

// Release takes back what Hold has said.
func (d *Dir) Release() { _ = os.Remove(d.File(HolderFile)) } // nobody is left to tell

// Holder is the process that has the folder, as far as that is known; 0 for none. One that
// was killed has left its number, so that it counts only while there is such a process.
func (d *Dir) Holder() int {
	text, err := os.ReadFile(d.File(HolderFile))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 || !Alive(pid) {
		return 0
	}
	return pid
}

// Held adds the number of the process that has the folder to the error of a store in use.
func (d *Dir) Held(inUse error) error {
	if pid := d.Holder(); pid != 0 {
		return fmt.Errorf("%w (it is process %d)", inUse, pid)
	}
	return inUse
}
