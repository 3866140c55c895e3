/* embed.S - the CA certificates and the licence texts, ours first, as bytes in the program: NAME[] ends in a 0 byte that NAME_len
   (a size_t) does not count. */
    .section .rodata
    .globl sfb_ca_bundle, sfb_ca_bundle_len, sfb_licenses, sfb_licenses_len
sfb_ca_bundle:
    .incbin "ca-bundle.pem"
1:  .byte 0
    .balign 8
sfb_ca_bundle_len:
    .quad 1b - sfb_ca_bundle
sfb_licenses:
    .ascii "================ sfb (PostgreSQL)\n\n"
    .incbin "LICENSE"
    .ascii "\n"
    .incbin "licenses.txt"
2:  .byte 0
    .balign 8
sfb_licenses_len:
    .quad 2b - sfb_licenses
    .section .note.GNU-stack, "", %progbits
