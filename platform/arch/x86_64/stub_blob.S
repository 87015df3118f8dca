/* The stub's flat image, carried as read-only data. */
	.section .rodata
	.globl stub_blob, stub_blob_end
	.balign 16
stub_blob:
	.incbin STUB_BIN
stub_blob_end:
	.section .note.GNU-stack, "", @progbits
