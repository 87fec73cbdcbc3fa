package syntax

import "github.com/vektah/gqlparser/v2/ast"

func (p *parser) selectionSet(of any) (set ast.SelectionSet) {
	p.note(of, Selection, p.tok)
	p.many(braceL, func() { set = append(set, p.selection()) }, braceR)
	return set
}

func (p *parser) selection() ast.Selection {
	if p.tok.kind == spread {
		return p.fragment()
	}
	f := &ast.Field{Position: p.position(p.tok)}
	f.Name = p.expect(name).value
	f.Alias = f.Name
	if p.take(colon) {
		f.Name = p.expect(name).value
	}
	f.Arguments = p.arguments(false)
	f.Directives = p.directives(false)
	if p.tok.kind == braceL {
		f.SelectionSet = p.selectionSet(f)
	}
	return f
}

func (p *parser) fragment() ast.Selection {
	start := p.expect(spread)
	conditional := p.isKeyword("on")
	if conditional {
		p.advance()
	}
	if !conditional && p.tok.kind == name {
		s := &ast.FragmentSpread{Position: p.position(start)}
		p.note(s, Name, p.tok)
		s.Name = p.fragmentName()
		s.Directives = p.directives(false)
		return s
	}
	f := &ast.InlineFragment{Position: p.position(start)}
	if conditional {
		p.note(f, Condition, p.tok)
		f.TypeCondition = p.expect(name).value
	}
	f.Directives = p.directives(false)
	f.SelectionSet = p.selectionSet(f)
	return f
}

func (p *parser) arguments(constant bool) (args ast.ArgumentList) {
	p.optionalMany(parenL, func() {
		a := &ast.Argument{Position: p.position(p.tok), Name: p.expect(name).value}
		p.expect(colon)
		a.Value = p.value(constant)
		args = append(args, a)
	}, parenR)
	return args
}

func (p *parser) directives(constant bool) (list ast.DirectiveList) {
	for p.tok.kind == at {
		d := &ast.Directive{Position: p.position(p.tok)}
		p.advance()
		d.Name = p.expect(name).value
		d.Arguments = p.arguments(constant)
		list = append(list, d)
	}
	return list
}

// literals are the kinds of value that are one token.
var literals = map[kind]ast.ValueKind{
	intValue: ast.IntValue, floatValue: ast.FloatValue, str: ast.StringValue, blockString: ast.BlockValue,
}

func (p *parser) value(constant bool) *ast.Value {
	v := &ast.Value{Position: p.position(p.tok)}
	t := p.tok
	switch t.kind {
	case bracketL:
		v.Kind = ast.ListValue
		p.any(bracketL, bracketR, func() {
			item := p.value(constant)
			v.Children = append(v.Children, &ast.ChildValue{Value: item, Position: item.Position})
		})
	case braceL:
		v.Kind = ast.ObjectValue
		p.any(braceL, braceR, func() {
			f := &ast.ChildValue{Position: p.position(p.tok), Name: p.expect(name).value}
			p.expect(colon)
			f.Value = p.value(constant)
			v.Children = append(v.Children, f)
		})
	case intValue, floatValue, str, blockString:
		v.Kind, v.Raw = literals[t.kind], t.value
		p.advance()
	case name:
		v.Kind, v.Raw = named(t.value), t.value
		p.advance()
	case dollar:
		p.variable(v, constant)
	default:
		p.unexpected(t)
	}
	return v
}

// any parses zero or more of something between two tokens.
func (p *parser) any(open, end kind, item func()) {
	p.expect(open)
	for !p.take(end) {
		item()
	}
}

func named(word string) ast.ValueKind {
	switch word {
	case "true", "false":
		return ast.BooleanValue
	case "null":
		return ast.NullValue
	}
	return ast.EnumValue
}

func (p *parser) variable(v *ast.Value, constant bool) {
	start := p.expect(dollar)
	if constant && p.tok.kind == name {
		p.fail(start, `Unexpected variable "$`+p.tok.value+`" in constant value.`)
	}
	if constant {
		p.unexpected(start)
	}
	v.Kind, v.Raw = ast.Variable, p.expect(name).value
}
