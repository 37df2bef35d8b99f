// Package awk interprets AWK programs whose use of time and memory can be
// accounted for.
//
// Invariant: everything that a program does to the outside goes through its
// Host. Each statement and each turn of a loop is a step, and every byte that a
// program keeps, or makes on its way, is charged before it is made: a Host that
// refuses, by panicking, ends the program before it grows.
//
// The tokens are goawk's (github.com/benhoyt/goawk/lexer); its interpreter is
// not used, because the memory of its programs cannot be bounded.
package awk
