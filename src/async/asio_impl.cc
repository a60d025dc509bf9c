// The one translation unit that holds Asio's separately compiled half.
#include <boost/asio/impl/src.hpp>
