/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Much for a compiler to instantiate, and a program that then allocates
 * through every form of operator new, across threads and exceptions.
 */
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

template <unsigned N> struct Fib {
	static constexpr std::uint64_t value =
	    Fib<N - 1>::value + Fib<N - 2>::value;
};
template <> struct Fib<0> { static constexpr std::uint64_t value = 0; };
template <> struct Fib<1> { static constexpr std::uint64_t value = 1; };

/* One distinct type, and so one set of instantiations, for each N. */
template <std::size_t N> struct Key {
	std::array<std::uint32_t, N % 5 + 1> word{};
	bool operator<(const Key &other) const { return word < other.word; }
};

template <std::size_t N> std::size_t
fill()
{
	std::map<Key<N>, std::vector<std::string>> table;
	std::set<std::tuple<Key<N>, int>> order;

	for (std::uint32_t i = 0; i < 50; i++) {
		Key<N> key;
		key.word.fill(i * 2654435761u % (N + 17));
		table[key].push_back(std::string(i, 'a'));
		order.emplace(key, static_cast<int>(i));
	}
	std::size_t total = order.size();
	for (auto &[key, row] : table) {
		std::sort(row.begin(), row.end(), std::greater<>());
		total += row.front().size() * (key.word[0] + 1);
	}
	return total;
}

template <std::size_t... N> std::size_t
fill_all(std::index_sequence<N...>)
{
	return (fill<N>() + ...);
}

template <class L, class R> struct Sum {
	const L &left;
	const R &right;
	double operator[](std::size_t i) const { return left[i] + right[i]; }
};
template <class L, class R> Sum<L, R>
operator+(const L &left, const R &right)
{
	return {left, right};
}

struct alignas(256) Wide {
	unsigned char byte[512];
};

using Value = std::variant<int, double, std::string, std::vector<int>,
    std::shared_ptr<Wide>>;

std::size_t
visit_values()
{
	std::vector<Value> values;
	std::size_t total = 0;

	for (int i = 0; i < 5000; i++) {
		switch (i % 5) {
		case 0: values.emplace_back(i); break;
		case 1: values.emplace_back(i / 2.0); break;
		case 2: values.emplace_back(std::to_string(i)); break;
		case 3: values.emplace_back(std::vector<int>(i % 90)); break;
		default: values.emplace_back(std::make_shared<Wide>());
		}
	}
	for (auto &value : values)
		total += std::visit([](auto &v) { return sizeof(v); }, value);
	for (auto &value : values)
		if (auto *wide = std::get_if<std::shared_ptr<Wide>>(&value))
			total += reinterpret_cast<std::uintptr_t>(
			    wide->get()) % alignof(Wide);
	return total;
}

/* Each thread makes what the next one frees. */
std::size_t
pass_around()
{
	using Box = std::unordered_map<int, std::unique_ptr<std::string>>;
	std::vector<Box> boxes(4);
	std::array<std::size_t, 4> sums{};

	for (int round = 0; round < 20; round++) {
		std::vector<std::thread> crew;
		for (int t = 0; t < 4; t++)
			crew.emplace_back([&boxes, &sums, t, round] {
				Box &box = boxes[(t + round) % 4];
				for (auto &entry : box)
					sums[t] += entry.second->size();
				box.clear();
				for (int i = 0; i < 300; i++)
					box[i] = std::make_unique<std::string>(
					    i % 70 + 1, 'x');
			});
		for (auto &thread : crew)
			thread.join();
	}
	return sums[0] + sums[1] + sums[2] + sums[3];
}

int
throw_deep(int depth)
{
	std::string held(depth * 10 + 1, 'h');

	if (depth == 0)
		throw std::runtime_error("bottom " + held);
	return throw_deep(depth - 1) + static_cast<int>(held.size());
}

int
refused_new()
{
	int caught = 0;
	volatile std::size_t huge = SIZE_MAX / 4;

	try {
		delete[] new char[huge];
	} catch (const std::bad_alloc &) {
		caught++;
	}
	char *none = new (std::nothrow) char[huge];
	caught += none == nullptr;
	delete[] none;
	return caught;
}

} /* namespace */

int
main()
{
	std::vector<double> a(100, 1.5), b(100, 2.5), c(100, 3.0);
	std::string text;
	int caught = 0;

	for (int i = 0; i < 200; i++)
		try {
			caught += throw_deep(i % 20);
		} catch (const std::exception &problem) {
			caught += std::string(problem.what()).size();
		}
	for (int i = 0; i < 400; i++)
		text += "k" + std::to_string(i) + "=" + std::to_string(i * i) +
		    ";";
	std::regex pair("k([0-9]+)=([0-9]*6);");
	auto first = std::sregex_iterator(text.begin(), text.end(), pair);

	std::cout << "fib " << Fib<80>::value << "\n"
		  << "fill " << fill_all(std::make_index_sequence<FILLS>())
		  << "\nsum " << (a + b + c)[7] << "\nvisit " << visit_values()
		  << "\nthreads " << pass_around() << "\ncaught " << caught
		  << "\nrefused " << refused_new() << "\nregex "
		  << std::distance(first, std::sregex_iterator()) << "\n";
}
