package org.hushpost

import java.time.Duration
import java.time.Instant
import kotlin.random.Random
import kotlin.reflect.KClass
import kotlin.reflect.KType
import kotlin.reflect.full.primaryConstructor

/**
 * Makes values of any type of the API: texts, and objects of the library, come from the test.
 *
 * @param text a text for a parameter of this name.
 * @param live an object of this class; null: there is none.
 */
class Garbage(
    private val random: Random,
    private val text: (String) -> String,
    private val live: (KClass<*>) -> Any?,
) {
    /** There is no object of a class that the value needs. */
    class None(type: KClass<*>) : Exception("there is no ${type.simpleName}")

    fun of(type: KType, name: String, depth: Int = 0): Any? {
        if (type.isMarkedNullable && (depth > 6 || random.nextInt(4) == 0)) return null
        return when (val kind = type.classifier as KClass<*>) {
            String::class -> text(name)
            Boolean::class -> random.nextBoolean()
            Short::class -> random.nextInt().toShort()
            Double::class -> listOf(0.0, -91.0, 1e300, Double.NaN, Double.NEGATIVE_INFINITY, 52.5).random(random)
            UByte::class -> random.nextInt().toUByte()
            UInt::class -> listOf(0u, 1u, 2u, 300u, Int.MAX_VALUE.toUInt(), UInt.MAX_VALUE).random(random)
            ULong::class -> listOf(0uL, 1uL, 1uL shl 20, Long.MAX_VALUE.toULong(), ULong.MAX_VALUE).random(random)
            ByteArray::class -> random.nextBytes(listOf(0, 1, 31, 32, 33, 20_000).random(random))
            Duration::class -> durations.random(random)
            Instant::class -> listOf(Instant.EPOCH, Instant.now(), Instant.MIN, Instant.MAX).random(random)
            List::class -> {
                val items = type.arguments.single().type!!
                List(if (depth > 6) 0 else random.nextInt(4)) { of(items, name, depth + 1) }
            }
            else -> instance(kind, depth)
        }
    }

    /** A record, a case of an enumeration, or an object of the library. */
    fun instance(kind: KClass<*>, depth: Int = 0): Any {
        kind.java.enumConstants?.let { return it.random(random) }
        kind.objectInstance?.let { return it }
        if (kind.isSealed) return instance(kind.sealedSubclasses.random(random), depth + 1)
        if (!kind.isData) return live(kind) ?: throw None(kind)
        val constructor = checkNotNull(kind.primaryConstructor) { "$kind has no constructor" }
        val values = constructor.parameters.map { of(it.type, "${kind.simpleName}.${it.name}", depth + 1) }
        return constructor.call(*values.toTypedArray())
    }

    companion object {
        private val durations = listOf(
            Duration.ZERO, Duration.ofNanos(1), Duration.ofMillis(20), Duration.ofSeconds(-1), Duration.ofDays(400),
            Duration.ofSeconds(Long.MAX_VALUE, 999_999_999), Duration.ofSeconds(Long.MIN_VALUE),
        )
    }
}
