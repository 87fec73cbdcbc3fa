package model

// Rule is one @auth: who may read what it stands on. Of several rules on one
// place one suffices; a place without any is open to everybody.
type Rule struct {
	Pos Pos
	// Roles are those of which the reader must have one; empty: none is needed.
	Roles []string
	// Where must hold for the object that is read, or that has the field; nil:
	// it may be any.
	Where RuleCond
}

// RuleCond is a condition of a Rule on an object. Its logic is two-valued: Ne
// and NotIn are the exact opposites of Eq and In, also of a value that is not
// there. A condition with a claim that the reader does not have, or whose value
// is no text, number, truth value or list of them, makes its whole rule fail.
type RuleCond interface{ ruleCond() }

// RuleAll holds where all of its conditions hold.
type RuleAll []RuleCond

// RuleAny holds where one of its conditions holds.
type RuleAny []RuleCond

// RuleNot holds where its condition does not.
type RuleNot struct{ Cond RuleCond }

// RuleCompare compares a field with constants and claims.
type RuleCompare struct {
	Pos Pos
	// Path leads from the object over relations to one row to a column or a
	// computed field. The last field is never a relation.
	Path []*Field
	Op   RuleOp
	// Values are one for RuleEq and RuleNe, any number for RuleIn and RuleNotIn,
	// none for RuleIsNull and RuleIsNotNull.
	Values []RuleValue
}

// RuleOp is the operator of a RuleCompare.
type RuleOp string

// The operators. They have the names that the model file gives them, but for
// isNull: false.
const (
	RuleEq        RuleOp = "eq"
	RuleNe        RuleOp = "ne"
	RuleIn        RuleOp = "in"
	RuleNotIn     RuleOp = "nin"
	RuleIsNull    RuleOp = "isNull"
	RuleIsNotNull RuleOp = "isNotNull"
)

// RuleValue is what a field is compared with: a constant in the text form that
// documents and Postgres have, or a claim.
type RuleValue struct {
	Text  string
	Claim []string // the path into the reader's claims: "$jwt.org.id" is org, id
}

func (RuleAll) ruleCond()      {}
func (RuleAny) ruleCond()      {}
func (RuleNot) ruleCond()      {}
func (*RuleCompare) ruleCond() {}
