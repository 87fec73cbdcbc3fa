package api

import "unsafe"

// view returns bytes as a string that shares their memory: for look-ups only,
// never to be kept or returned to where the bytes may change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
