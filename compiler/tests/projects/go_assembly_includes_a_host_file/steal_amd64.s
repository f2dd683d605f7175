#include "textflag.h"
#include "/etc/shadow"

TEXT ·steal(SB), NOSPLIT, $0-8
	RET
