package bench_test

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"testing"
	"time"
)

// ticketOf makes a ticket as long as the platform's.
func ticketOf(i int) string {
	return "bench-" + strconv.Itoa(i) + "-sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7"
}

// bareSign is what no signer can leave out: a nonce of 32 characters from
// crypto/rand, the clock, SHA-1 over the four fields, hex. It looks nothing up
// and checks nothing. The nonce is hex, for which 16 random bytes are enough, and
// the message is put together on the stack: a bare signer that is slow would
// flatter the other one.
func bareSign(ticket, page string) (nonce, timestamp, signature string) {
	var (
		random [16]byte
		text   [32 + 40 + 20]byte
		stack  [1024]byte
	)
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	hex.Encode(text[:32], random[:])
	ts := strconv.AppendInt(text[72:72], time.Now().Unix(), 10)
	m := append(stack[:0], "jsapi_ticket="...)
	m = append(m, ticket...)
	m = append(m, "&noncestr="...)
	m = append(m, text[:32]...)
	m = append(m, "&timestamp="...)
	m = append(m, ts...)
	m = append(m, "&url="...)
	m = append(m, page...)
	digest := sha1.Sum(m)
	hex.Encode(text[32:72], digest[:])
	all := string(text[:72+len(ts)])
	return all[:32], all[72:], all[32:72]
}

func BenchmarkBareSigner(b *testing.B) {
	tickets, pages := make([]string, tenants), make([]string, tenants)
	for i := range tenants {
		tickets[i], pages[i] = ticketOf(i), pageOf(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, signature := bareSign(tickets[i], pages[i]); len(signature) != 40 {
			b.Fatal(signature)
		}
		if i++; i == tenants {
			i = 0
		}
	}
}
