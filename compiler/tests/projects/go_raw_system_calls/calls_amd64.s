#include "textflag.h"

TEXT ·mount(SB), NOSPLIT, $0-8
	MOVQ $165, AX
	SYSCALL
	MOVQ AX, ret+0(FP)
	RET
