package armour

import (
	"encoding/base64"
	"encoding/binary"
	"sync"
)

// Base64 is where the time of a large block goes. Two characters per table look-up, and eight per store, make it about
// three times as fast as encoding/base64 on the way out and twice as fast on the way in.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// invalid is set in the sum of the four look-ups of a group if one of its characters is not in the alphabet.
const invalid = 1 << 31

type codec struct {
	pair  [1 << 12]uint16 // 12 bits as two characters, little endian
	value [4][256]uint32  // a character at each place of a group, as its bits in the group's 24
}

// tables are built on first use: most programs that link this package never write a block.
var tables = sync.OnceValue(func() *codec {
	c := new(codec)
	for i := range c.pair {
		c.pair[i] = uint16(alphabet[i>>6]) | uint16(alphabet[i&63])<<8
	}
	for place := range c.value {
		for i := range c.value[place] {
			c.value[place][i] = invalid
		}
		for bits, char := range []byte(alphabet) {
			c.value[place][char] = uint32(bits) << (18 - 6*place)
		}
	}
	return c
})

// encode writes src to dst, which is long enough, with padding if src is not a multiple of three.
func (c *codec) encode(dst, src []byte) {
	for len(src) >= 16 && len(dst) >= 16 { // reads sixteen bytes, uses twelve
		v, u := binary.BigEndian.Uint64(src), binary.BigEndian.Uint64(src[6:])
		binary.LittleEndian.PutUint64(dst, c.four(v))
		binary.LittleEndian.PutUint64(dst[8:], c.four(u))
		src, dst = src[12:], dst[16:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, c.four(binary.BigEndian.Uint64(src)))
		src, dst = src[6:], dst[8:]
	}
	base64.StdEncoding.Encode(dst, src)
}

// four is the upper six bytes of v as eight characters, little endian.
func (c *codec) four(v uint64) uint64 {
	return uint64(c.pair[v>>52]) | uint64(c.pair[v>>40&0xfff])<<16 |
		uint64(c.pair[v>>28&0xfff])<<32 | uint64(c.pair[v>>16&0xfff])<<48
}

// decode writes the whole groups of four in src to dst, which is long enough, and says whether all was in the alphabet.
func (c *codec) decode(dst, src []byte) bool {
	bad := uint32(0)
	for len(src) >= 8 && len(dst) >= 8 { // writes eight bytes, six of them for good
		s := src[:8]
		a := c.value[0][s[0]] | c.value[1][s[1]] | c.value[2][s[2]] | c.value[3][s[3]]
		b := c.value[0][s[4]] | c.value[1][s[5]] | c.value[2][s[6]] | c.value[3][s[7]]
		bad |= a | b
		binary.BigEndian.PutUint64(dst, uint64(a)<<40|uint64(b)<<16)
		src, dst = src[8:], dst[6:]
	}
	for len(src) >= 4 {
		a := c.group(src)
		bad |= a
		dst[0], dst[1], dst[2] = byte(a>>16), byte(a>>8), byte(a)
		src, dst = src[4:], dst[3:]
	}
	return bad&invalid == 0
}

func (c *codec) group(s []byte) uint32 {
	return c.value[0][s[0]] | c.value[1][s[1]] | c.value[2][s[2]] | c.value[3][s[3]]
}

// pure says whether all of s is in the alphabet.
func (c *codec) pure(s []byte) bool {
	bad := uint32(0)
	for _, char := range s {
		bad |= c.value[0][char]
	}
	return bad&invalid == 0
}
