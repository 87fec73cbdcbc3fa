package batch

// Visible says whether a batch taken with the snapshot would hold anything.
func (q *Queue) Visible(snap *Snapshot) bool {
	if !q.ready.Empty() {
		return true
	}
	for _, w := range q.waiting {
		if snap.Visible(w.tx.XID) {
			return true
		}
	}
	return false
}
