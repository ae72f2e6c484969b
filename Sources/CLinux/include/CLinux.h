#pragma once
#include "directory.h"
