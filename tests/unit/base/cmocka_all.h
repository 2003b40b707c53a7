// SPDX-License-Identifier: Apache-2.0
#pragma once

// What has to come before cmocka.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
