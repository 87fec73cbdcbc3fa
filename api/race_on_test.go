//go:build race

package api

// raceDetector: it allocates by itself.
const raceDetector = true
