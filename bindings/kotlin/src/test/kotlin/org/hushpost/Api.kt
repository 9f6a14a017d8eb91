package org.hushpost

import java.io.File
import kotlin.reflect.KClass
import kotlin.reflect.KFunction
import kotlin.reflect.KVisibility
import kotlin.reflect.full.companionObject
import kotlin.reflect.full.companionObjectInstance
import kotlin.reflect.full.declaredFunctions
import kotlin.reflect.full.isSubclassOf
import kotlin.reflect.full.primaryConstructor

/** What the library exports, read off its classes, so that nothing new is forgotten. */
object Api {
    private val plumbing = setOf("uniffiCloneHandle", "destroy", "close")

    private val classes: List<KClass<*>> = run {
        val folder = File(File(Client::class.java.protectionDomain.codeSource.location.toURI()), "org/hushpost")
        val names = checkNotNull(folder.list()) { "the classes are not in a folder" }
        names.filter { it.endsWith(".class") && '$' !in it && !it.endsWith("Kt.class") }
            .filter { !it.startsWith("Uniffi") && !it.startsWith("FfiConverter") && !it.startsWith("IntegrityChecking") }
            .map { Class.forName("org.hushpost.${it.removeSuffix(".class")}").kotlin }
            .sortedBy { it.simpleName }
    }

    /** Records, and the cases of enumerations that have fields. */
    val records: List<KClass<*>> = classes.flatMap { if (it.isSealed) it.sealedSubclasses else listOf(it) }
        .filter { it.isData && it.primaryConstructor != null }

    /** Classes whose objects live in the library. (No app is ever given a sink of the library's.) */
    val objects: List<KClass<*>> = classes.filter {
        it != LogSinkImpl::class && it.isOpen && it.isSubclassOf(Disposable::class) && it.isSubclassOf(AutoCloseable::class)
    }

    /** All that can be called; the receiver is the first parameter, if there is one. */
    class Call(val name: String, val owner: KClass<*>?, val function: KFunction<*>, val companion: Any?)

    val calls: List<Call> = buildList {
        for (kind in objects) {
            kind.declaredFunctions.filter { it.visibility == KVisibility.PUBLIC && it.name !in plumbing }
                .forEach { add(Call("${kind.simpleName}.${it.name}", kind, it, null)) }
            kind.companionObject?.declaredFunctions?.filter { it.visibility == KVisibility.PUBLIC }
                ?.forEach { add(Call("${kind.simpleName}.${it.name}", null, it, kind.companionObjectInstance)) }
        }
        val pushed: suspend (Config, java.time.Duration) -> PushResult = ::processPush
        add(Call("processPush", null, pushed as KFunction<*>, null))
        add(Call("setLogSink", null, ::setLogSink, null))
    }

}
