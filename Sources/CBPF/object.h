// program/witness.bpf.c, compiled (see Tests/Checks/bpf.sh).
#pragma once
extern const unsigned char cbpf_object[];
extern const unsigned int cbpf_object_size;
