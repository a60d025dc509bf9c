// The one translation unit that holds Beast's separately compiled half.
#include <boost/beast/src.hpp>
