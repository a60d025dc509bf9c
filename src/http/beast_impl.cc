// The one translation unit that holds the separately compiled half of Beast, and of Asio's TLS.
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
