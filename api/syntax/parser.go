package syntax

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// parser builds a document of tokens. Its methods panic with *gqlerror.Error.
type parser struct {
	lex    lexer
	tok    token
	count  int
	limit  int
	source *ast.Source
	doc    *Document
}

func syntaxError(line, column int, message string) *gqlerror.Error {
	return &gqlerror.Error{
		Message:   "Syntax Error: " + message,
		Locations: []gqlerror.Location{{Line: line, Column: column}},
	}
}

// Parse parses a document of at most so many tokens; 0 is no limit.
func Parse(text string, maxTokens int) (doc *Document, err *gqlerror.Error) {
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(*gqlerror.Error)
			if !ok {
				panic(r)
			}
			doc, err = nil, failed
		}
	}()
	p := &parser{limit: maxTokens, source: &ast.Source{Input: text}}
	p.lex = lexer{body: text, line: 1, col: 1}
	p.tok = token{kind: sof, line: 1, col: 1}
	p.doc = &Document{QueryDocument: &ast.QueryDocument{}, places: map[placeKey]gqlerror.Location{}}
	p.many(sof, p.definition, eof)
	return p.doc, nil
}

func (p *parser) advance() {
	p.tok = p.lex.next(p.tok.end)
	if p.tok.kind == eof {
		return
	}
	if p.count++; p.limit > 0 && p.count > p.limit {
		p.fail(p.tok, fmt.Sprintf("Document contains more that %d tokens. Parsing aborted.", p.limit))
	}
}

// lookahead returns the token behind the present one.
func (p *parser) lookahead() token {
	saved := p.lex
	next := p.lex.next(p.tok.end)
	p.lex = saved
	return next
}

func (p *parser) fail(t token, message string) { panic(syntaxError(t.line, t.col, message)) }

func (p *parser) unexpected(t token) { p.fail(t, "Unexpected "+t.describe()+".") }

func (p *parser) expect(k kind) token {
	t := p.tok
	if t.kind != k {
		p.fail(t, fmt.Sprintf("Expected %s, found %s.", k.describe(), t.describe()))
	}
	p.advance()
	return t
}

// take passes over the present token if it is of the kind.
func (p *parser) take(k kind) bool {
	if p.tok.kind != k {
		return false
	}
	p.advance()
	return true
}

func (p *parser) isKeyword(word string) bool { return p.tok.kind == name && p.tok.value == word }

func (p *parser) expectKeyword(word string) {
	if !p.isKeyword(word) {
		p.fail(p.tok, fmt.Sprintf("Expected \"%s\", found %s.", word, p.tok.describe()))
	}
	p.advance()
}

// many parses one or more of something between two tokens.
func (p *parser) many(open kind, item func(), end kind) {
	p.expect(open)
	for item(); !p.take(end); {
		item()
	}
}

// optionalMany parses nothing, or one or more of something between two tokens.
func (p *parser) optionalMany(open kind, item func(), end kind) {
	if p.tok.kind == open {
		p.many(open, item, end)
	}
}

func (p *parser) position(t token) *ast.Position {
	return &ast.Position{Start: t.start, End: t.end, Line: t.line, Column: t.col, Src: p.source}
}

// note notes where a part of a node stands.
func (p *parser) note(node any, part Part, t token) {
	p.doc.places[placeKey{node, part}] = gqlerror.Location{Line: t.line, Column: t.col}
}

// definition parses an operation or a fragment.
func (p *parser) definition() {
	start := p.tok
	if start.kind == braceL {
		op := &ast.OperationDefinition{Operation: ast.Query, Position: p.position(start)}
		op.SelectionSet = p.selectionSet(op)
		p.addOperation(op)
		return
	}
	keyword := start
	described := start.kind == str || start.kind == blockString
	if described {
		keyword = p.lookahead()
	}
	if described && keyword.kind == braceL {
		p.fail(start, "Unexpected description, descriptions are not supported on shorthand queries.")
	}
	if keyword.kind == name {
		switch keyword.value {
		case "query", "mutation", "subscription":
			p.operation()
			return
		case "fragment":
			p.fragmentDefinition()
			return
		}
		if described {
			p.fail(start, "Unexpected description, only GraphQL definitions support descriptions.")
		}
	}
	p.unexpected(keyword)
}

// description parses a description, if there is one.
func (p *parser) description() (text string) {
	if p.tok.kind == str || p.tok.kind == blockString {
		text = p.tok.value
		p.advance()
	}
	return text
}

func (p *parser) addOperation(op *ast.OperationDefinition) {
	p.doc.Operations = append(p.doc.Operations, op)
	p.doc.Definitions = append(p.doc.Definitions, op)
}

func (p *parser) operation() {
	op := &ast.OperationDefinition{Position: p.position(p.tok), Description: p.description()}
	op.Operation = ast.Operation(p.expect(name).value)
	if p.tok.kind == name {
		p.note(op, Name, p.tok)
		op.Name = p.expect(name).value
	}
	p.optionalMany(parenL, func() { op.VariableDefinitions = append(op.VariableDefinitions, p.variableDefinition()) }, parenR)
	op.Directives = p.directives(false)
	op.SelectionSet = p.selectionSet(op)
	p.addOperation(op)
}

func (p *parser) variableDefinition() *ast.VariableDefinition {
	v := &ast.VariableDefinition{Position: p.position(p.tok), Description: p.description()}
	p.expect(dollar)
	p.note(v, Name, p.tok)
	v.Variable = p.expect(name).value
	p.expect(colon)
	v.Type = p.typeReference()
	if p.take(equals) {
		v.DefaultValue = p.value(true)
	}
	v.Directives = p.directives(true)
	return v
}

func (p *parser) typeReference() *ast.Type {
	t := &ast.Type{Position: p.position(p.tok)}
	if p.take(bracketL) {
		t.Elem = p.typeReference()
		p.expect(bracketR)
	} else {
		t.NamedType = p.expect(name).value
	}
	t.NonNull = p.take(bang)
	return t
}

func (p *parser) fragmentDefinition() {
	f := &ast.FragmentDefinition{Position: p.position(p.tok), Description: p.description()}
	p.expectKeyword("fragment")
	p.note(f, Name, p.tok)
	f.Name = p.fragmentName()
	p.expectKeyword("on")
	p.note(f, Condition, p.tok)
	f.TypeCondition = p.expect(name).value
	f.Directives = p.directives(false)
	f.SelectionSet = p.selectionSet(f)
	p.doc.Fragments = append(p.doc.Fragments, f)
	p.doc.Definitions = append(p.doc.Definitions, f)
}

func (p *parser) fragmentName() string {
	if p.isKeyword("on") {
		p.unexpected(p.tok)
	}
	return p.expect(name).value
}
