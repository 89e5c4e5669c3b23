"""`errno` with the numbers of a board's C library (newlib), which differ from Linux for the network.

Source: newlib's sys/errno.h. MicroPython's compiler puts its own number in place of a literal `errno.NAME`; there only getattr and
`from errno import` see these.
"""

EPERM = 1
ENOENT = 2
EIO = 5
EBADF = 9
EAGAIN = 11
ENOMEM = 12
EACCES = 13
EEXIST = 17
ENODEV = 19
EISDIR = 21
EINVAL = 22
EOPNOTSUPP = 95
ECONNRESET = 104
ENOBUFS = 105
ECONNREFUSED = 111
EADDRINUSE = 112
ECONNABORTED = 113
ETIMEDOUT = 116
EHOSTUNREACH = 118
EINPROGRESS = 119
EALREADY = 120
ENOTCONN = 128

errorcode = {}
for _name, _value in list(globals().items()):
    if _name[0] == "E":
        errorcode[_value] = _name
