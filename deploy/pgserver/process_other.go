//go:build !linux

package pgserver

import "syscall"

// endWithParent does nothing: only Linux tells a child of its parent's end.
func endWithParent(*syscall.SysProcAttr) {}

// children are not looked up here: they end by themselves soon after their
// postmaster.
func children(int) []int { return nil }

func zombie(int) bool { return false }
