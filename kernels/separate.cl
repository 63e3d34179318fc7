// separate: the modules of a group one after another, each by the kernel that is the default of the
// module alone. It has no kernel of its own: it is what one launch for all of them has to beat.
//
//   x, A, B, y   as the kernels of the parts have them
