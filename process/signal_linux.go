package process

// maxSignal is the highest signal, of the real-time ones.
const maxSignal = 64
