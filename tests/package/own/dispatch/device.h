// A consumer's own header, with the name of one of ours.
#pragma once

namespace consumer {
constexpr int kOwnDevice = 1;
}
