package wecom

// What the black-box tests look at beside the exported names.
var (
	Unpad          = unpad
	ExtractEncrypt = extractEncrypt
	NewError       = newError
	Carries        = carries
	NewTransport   = newTransport
)

// Codes are the errcodes of the table of classes.
func Codes() map[int]Class { return classes }
