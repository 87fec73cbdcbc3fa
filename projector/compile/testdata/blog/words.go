package blog

import (
	"math/rand/v2"
	"strings"

	"github.com/brianvoe/gofakeit/v7"
)

// vocabulary holds names and sentences to draw from: making each anew would
// take longer than storing it.
type vocabulary struct {
	firsts, lasts, titles, sentences []string
}

func newVocabulary(seed uint64) *vocabulary {
	f := gofakeit.New(seed)
	v := &vocabulary{}
	for range 400 {
		v.firsts = append(v.firsts, f.FirstName())
		v.lasts = append(v.lasts, f.LastName())
	}
	for range 2000 {
		v.titles = append(v.titles, title(f))
		v.sentences = append(v.sentences, sentence(f))
	}
	return v
}

func title(f *gofakeit.Faker) string {
	forms := []string{
		"How to {verbaction} a {adjectivedescriptive} {noun}", "The {adjectivedescriptive} {noun} and the {noun}",
		"{hobby} for people who have no time", "Why I {verbaction} my {noun} every {weekday}",
		"What {city} taught me about {hobby}", "A {adjectivedescriptive} week in {city}",
	}
	return generate(f, forms)
}

func sentence(f *gofakeit.Faker) string {
	forms := []string{
		"I {verbaction} the {adjectivedescriptive} {noun} {adverbmanner}, and nobody in {city} noticed.",
		"My {noun} is {adjectivedescriptive} since {weekday}.",
		"Nobody ever tried {hobby} with a {adjectivedescriptive} {noun}.", // a "?" would be filled with a letter
		"In {city} they {verbaction} it {adverbmanner}.",
		"You would not believe what a {noun} costs in {monthstring}.",
		"This reminds me of {firstname}, who had a {adjectivedescriptive} {noun} too.",
	}
	return generate(f, forms)
}

func generate(f *gofakeit.Faker, forms []string) string {
	text, err := f.Generate(forms[f.IntN(len(forms))])
	if err != nil || text == "" {
		return "It rained all day." // a form above is misspelt: the test tells
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

func (v *vocabulary) first(rng *rand.Rand) string { return pick(rng, v.firsts) }
func (v *vocabulary) last(rng *rand.Rand) string  { return pick(rng, v.lasts) }
func (v *vocabulary) title(rng *rand.Rand) string { return pick(rng, v.titles) }

// text is a paragraph of least to most sentences.
func (v *vocabulary) text(rng *rand.Rand, least, most int) string {
	var b strings.Builder
	for i := range least + rng.IntN(most-least+1) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(pick(rng, v.sentences))
	}
	return b.String()
}
