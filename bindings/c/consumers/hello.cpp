// SPDX-License-Identifier: MIT OR Apache-2.0
// The same in C++: that the headers are found, the standard is set, and the calls are linked by their C names.
#include <orchflow.hpp>

#include <iostream>

int main()
{
    orchflow::Hub hub;
    auto session = hub.spawn(orchflow::SpawnOptions({"echo", "hello"}));
    while (session.read([](std::string_view part) { std::cout << part; }) != orchflow::Read::End) {
        hub.wait();
        hub.each_event([](const orchflow::Event &) {});
    }
}
