#!/usr/bin/env python3
"""Write the vSphere schema as WSDL and XSD, from the type tables of pyvmomi.

    python3 wsdl/generate.py            write the nine files beside this script
    python3 wsdl/generate.py --check    change nothing; exit 1 if a file would change
    python3 wsdl/generate.py --stats    also print what the tables hold

The facts come from the PyPI package pyvmomi, pinned in catalog.py: names, declaration order,
cardinality, versions, privileges, faults. If that version cannot be imported, it is installed into
a virtual environment under target/. The tables are parsed, never executed. Two things are missing
from them and stand in catalog.py: three fault types that pyvmomi builds by hand, and vmodl.reflect.

Files
    vimService.wsdl           the service and its address; imports vim.wsdl
    vim.wsdl                  messages, VimPortType, VimBinding (document/literal)
    core-types.xsd            vmodl.*: base types, runtime faults, arrays of the XSD scalars
    query-types.xsd           vmodl.query.*: the property collector
    vim-types.xsd             vim.*
    reflect-types.xsd         vmodl.reflect.*, the only file of namespace urn:reflect beside the next
    *-messagetypes.xsd        per method: the element and type of its request, the element of its response

Rules that the tables do not say
    A request type is named after its method less "_Task". A reference to a managed object is a
    ManagedObjectReference, a fault in a field is a LocalizedMethodFault, a link is the key of what
    it points to: a string. Each fault type X has an element XFault; operations name their own
    faults and RuntimeFault. DynamicData is empty and MethodFault has no base, as in the SDK.

Annotations: what WSDL cannot say, as xs:appinfo in namespace urn:vimsim:schema, prefix vs.
Attributes are written only where they apply. Versions are API versions ("2.5u2", "8.0.3.0"); a
version of vmodl, query or reflect is given as the first API version that includes it.
    vs:version        name, vmodl, namespace      every API version, oldest first (vim-types.xsd)
    vs:type           vmodl, since                of a data object's complexType, an enum's simpleType
    vs:field          of an element (field, parameter, returnval):
                      since      if later than its owner's
                      ref        the managed object type that a ManagedObjectReference points to
                      fault      the fault type, if narrower than MethodFault
                      vmodl      the alias that the string is: TypeName, MethodName, PropertyPath
                      secret, link, linkable      "true"
                      privilege  needed on the object that the parameter refers to
    vs:method         name, vmodl, owner, since, privilege      of a request type
      vs:taskResult   type, minOccurs, maxOccurs, and as vs:field: the type of info.result
    vs:managedObject  name, vmodl, base, since    at the head of the types file of its namespace
      vs:property     name, type, minOccurs, maxOccurs, and as vs:field: its own properties only
"""

import argparse
import collections
import pathlib
import sys
from xml.sax.saxutils import escape

from catalog import OPTIONAL, REFLECT, SCALARS, VIM, Catalog, Data, Enum, Managed, request_type, type_tables

HERE = pathlib.Path(__file__).resolve().parent
XSD = "http://www.w3.org/2001/XMLSchema"
VS = "urn:vimsim:schema"


def attributes(pairs):
    """XML attributes, without those that are None."""
    quoted = {key: escape(value, {'"': "&quot;"}) for key, value in pairs.items() if value is not None}
    return "".join(f' {key}="{value}"' for key, value in quoted.items())


def annotation(tag, pairs, inner=""):
    """An annotation on one line, or nothing if it would say nothing."""
    pairs = {key: value for key, value in pairs.items() if value is not None}
    if not pairs and not inner:
        return ""
    body = f"<vs:{tag}{attributes(pairs)}" + (f">{inner}</vs:{tag}>" if inner else "/>")
    return f"<annotation><appinfo>{body}</appinfo></annotation>"


def cardinality(flags, many):
    return {"minOccurs": "0" if flags & OPTIONAL else None, "maxOccurs": many}


class Writer:
    """The lines of one schema file."""

    def __init__(self, catalog, folder, kind, uses):
        self.catalog = catalog
        self.folder = folder
        self.name = f"{folder}-{kind}.xsd"
        self.prefix, self.namespace = ("reflect", REFLECT) if folder == "reflect" else ("vim25", VIM)
        self.lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<!-- Written by generate.py; do not edit. -->",
            f'<schema targetNamespace="{self.namespace}" elementFormDefault="qualified" xmlns="{XSD}"'
            f' xmlns:xsd="{XSD}" xmlns:vim25="{VIM}" xmlns:reflect="{REFLECT}" xmlns:vs="{VS}">',
        ]
        for use in uses:
            other = REFLECT if use.startswith("reflect") else VIM
            if other == self.namespace:
                self.lines.append(f' <include schemaLocation="{use}.xsd"/>')
            else:
                self.lines.append(f' <import namespace="{other}" schemaLocation="{use}.xsd"/>')

    def text(self):
        return "\n".join(self.lines + ["</schema>", ""])

    def line(self, depth, text):
        self.lines.append(" " * depth + text)

    def notes(self, field, owner_version):
        """The type, cardinality and annotation of a field, property or parameter."""
        kind, many, notes = self.catalog.shape(field.type, field.flags)
        later = self.catalog.rank(field.version) > self.catalog.rank(owner_version)
        since = {"since": self.catalog.since(field.version)} if later else {}
        privilege = {"privilege": field.privilege} if field.privilege else {}
        return {"type": kind, **cardinality(field.flags, many)}, {**since, **notes, **privilege}

    def element(self, depth, name, shape, notes):
        head = f"<element{attributes({'name': name, **shape})}"
        body = annotation("field", notes)
        self.line(depth, f"{head}>{body}</element>" if body else head + "/>")

    def managed_objects(self):
        managed = self.catalog.of(Managed, self.folder)
        versions = self.catalog.versions if self.folder == "vim" else []
        if not managed and not versions:
            return
        self.line(1, "<annotation><appinfo>")
        for version in versions:
            pairs = {"name": self.catalog.ids[version], "vmodl": version, "namespace": self.catalog.uri_names[version]}
            self.line(2, f"<vs:version{attributes(pairs)}/>")
        for mo in managed:
            base = self.catalog.types[mo.base].name if mo.base else None
            pairs = {"name": mo.name, "vmodl": mo.vmodl, "base": base, "since": self.catalog.since(mo.version)}
            head = f"<vs:managedObject{attributes(pairs)}"
            if not mo.properties:
                self.line(2, head + "/>")
                continue
            self.line(2, head + ">")
            for field in mo.properties:
                shape, notes = self.notes(field, mo.version)
                self.line(3, f"<vs:property{attributes({'name': field.name, **shape, **notes})}/>")
            self.line(2, "</vs:managedObject>")
        self.line(1, "</appinfo></annotation>")

    def array(self, item, kind):
        self.line(1, f'<complexType name="ArrayOf{item[0].upper()}{item[1:]}">')
        self.line(2, "<sequence>")
        self.element(3, item, {"type": kind, "minOccurs": "0", "maxOccurs": "unbounded"}, {})
        self.line(2, "</sequence>")
        self.line(1, "</complexType>")

    def scalars(self):
        for scalar in SCALARS.values():
            self.array(scalar, "xsd:" + scalar)
        self.line(1, '<complexType name="ManagedObjectReference">')
        self.line(2, "<simpleContent>")
        self.line(3, '<extension base="xsd:string">')
        self.line(4, '<attribute name="type" type="xsd:string"/>')
        self.line(4, '<attribute name="serverGuid" type="xsd:string"/>')
        self.line(3, "</extension>")
        self.line(2, "</simpleContent>")
        self.line(1, "</complexType>")
        self.array("ManagedObjectReference", "vim25:ManagedObjectReference")

    def types(self):
        for item in self.catalog.of((Data, Enum), self.folder):
            note = annotation("type", {"vmodl": item.vmodl, "since": self.catalog.since(item.version)})
            if isinstance(item, Enum):
                self.enum(item, note)
            else:
                self.data(item, note)
            self.array(item.name, self.catalog.qname(item.vmodl))
            if self.catalog.is_fault(item.vmodl):
                self.line(1, f'<element name="{item.name}Fault" type="{self.catalog.qname(item.vmodl)}"/>')

    def enum(self, item, note):
        self.line(1, f'<simpleType name="{item.name}">')
        self.line(2, note)
        self.line(2, '<restriction base="xsd:string">')
        for value in item.values:
            self.line(3, f"<enumeration{attributes({'value': value})}/>")
        self.line(2, "</restriction>")
        self.line(1, "</simpleType>")

    def data(self, item, note):
        self.line(1, f'<complexType name="{item.name}">')
        self.line(2, note)
        depth = 2
        if item.base:
            self.line(2, "<complexContent>")
            self.line(3, f'<extension base="{self.catalog.qname(item.base)}">')
            depth = 4
        if item.fields:
            self.line(depth, "<sequence>")
            for field in item.fields:
                self.element(depth + 1, field.name, *self.notes(field, item.version))
            self.line(depth, "</sequence>")
        else:
            self.line(depth, "<sequence/>")
        if item.base:
            self.line(3, "</extension>")
            self.line(2, "</complexContent>")
        self.line(1, "</complexType>")

    def messages(self):
        for method in self.catalog.methods(self.folder):
            self.request(method)
            self.response(method)

    def request(self, method):
        pairs = {"name": method.name, "vmodl": method.vmodl, "owner": method.owner,
                 "since": self.catalog.since(method.version), "privilege": method.privilege}
        inner = ""
        if method.task_result not in (None, "void"):
            kind, many, notes = self.catalog.shape(method.task_result, method.result_flags)
            shape = {"type": kind, **cardinality(method.result_flags, many), **notes}
            inner = f"<vs:taskResult{attributes(shape)}/>"
        self.line(1, f'<complexType name="{request_type(method)}">')
        self.line(2, annotation("method", pairs, inner))
        self.line(2, "<sequence>")
        self.element(3, "_this", {"type": "vim25:ManagedObjectReference"}, {"ref": method.owner})
        for param in method.params:
            self.element(3, param.name, *self.notes(param, method.version))
        self.line(2, "</sequence>")
        self.line(1, "</complexType>")
        self.line(1, f'<element name="{method.name}" type="{self.prefix}:{request_type(method)}"/>')

    def response(self, method):
        self.line(1, f'<element name="{method.name}Response">')
        self.line(2, "<complexType>")
        if method.result == "void":
            self.line(3, "<sequence/>")
        else:
            # The flags of a method that makes a task are those of the task's result.
            flags = 0 if method.task_result else method.result_flags
            kind, many, notes = self.catalog.shape(method.result, flags)
            self.line(3, "<sequence>")
            self.element(4, "returnval", {"type": kind, **cardinality(flags, many)}, notes)
            self.line(3, "</sequence>")
        self.line(2, "</complexType>")
        self.line(1, "</element>")


def schema_files(catalog):
    """The seven XSD files: (name, text)."""
    types = {"core": [], "query": ["core-types"], "reflect": ["core-types"], "vim": ["core-types", "query-types"]}
    for folder, uses in types.items():
        writer = Writer(catalog, folder, "types", uses)
        writer.managed_objects()
        if folder == "core":
            writer.scalars()
        writer.types()
        yield writer.name, writer.text()
    messages = {"query": ["core-types", "query-types"], "reflect": ["core-types", "reflect-types"],
                "vim": ["core-types", "query-types", "vim-types"]}
    for folder, uses in messages.items():
        writer = Writer(catalog, folder, "messagetypes", uses)
        writer.messages()
        yield writer.name, writer.text()


def vim_wsdl(catalog):
    """Messages, port type and binding."""
    methods = [("vim25", m) for m in catalog.methods("query") + catalog.methods("vim")]
    methods += [("reflect", m) for m in catalog.methods("reflect")]

    def faults(method):
        return [catalog.types[f].name for f in [*method.faults, "vmodl.RuntimeFault"]]

    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!-- Written by generate.py; do not edit. -->",
        f'<definitions targetNamespace="{VIM}" xmlns="http://schemas.xmlsoap.org/wsdl/"'
        ' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"'
        f' xmlns:vim25="{VIM}" xmlns:reflect="{REFLECT}">',
        " <types>",
        f'  <schema xmlns="{XSD}" targetNamespace="{VIM}" elementFormDefault="qualified">',
        f'   <import namespace="{REFLECT}" schemaLocation="reflect-messagetypes.xsd"/>',
        '   <include schemaLocation="query-messagetypes.xsd"/>',
        '   <include schemaLocation="vim-messagetypes.xsd"/>',
        "  </schema>",
        " </types>",
    ]

    def message(name, part, element):
        lines.append(f' <message name="{name}">')
        lines.append(f'  <part name="{part}" element="{element}"/>')
        lines.append(" </message>")

    for fault in sorted({fault for _, method in methods for fault in faults(method)}):
        message(f"{fault}FaultMsg", "fault", f"vim25:{fault}Fault")
    for prefix, method in methods:
        message(f"{method.name}RequestMsg", "parameters", f"{prefix}:{method.name}")
        message(f"{method.name}ResponseMsg", "parameters", f"{prefix}:{method.name}Response")
    lines.append(' <portType name="VimPortType">')
    for _, method in methods:
        lines.append(f'  <operation name="{method.name}">')
        lines.append(f'   <input message="vim25:{method.name}RequestMsg"/>')
        lines.append(f'   <output message="vim25:{method.name}ResponseMsg"/>')
        for fault in faults(method):
            lines.append(f'   <fault name="{fault}" message="vim25:{fault}FaultMsg"/>')
        lines.append("  </operation>")
    lines.append(" </portType>")
    newest = catalog.ids[catalog.versions[-1]]
    lines.append(' <binding name="VimBinding" type="vim25:VimPortType">')
    lines.append('  <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>')
    for _, method in methods:
        lines.append(f'  <operation name="{method.name}">')
        lines.append(f'   <soap:operation soapAction="{VIM}/{newest}" style="document"/>')
        lines.append('   <input><soap:body use="literal"/></input>')
        lines.append('   <output><soap:body use="literal"/></output>')
        for fault in faults(method):
            lines.append(f'   <fault name="{fault}"><soap:fault name="{fault}" use="literal"/></fault>')
        lines.append("  </operation>")
    lines.append(" </binding>")
    return "\n".join([*lines, "</definitions>", ""])


SERVICE_WSDL = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- Written by generate.py; do not edit. -->
<definitions targetNamespace="{VIM}Service" xmlns="http://schemas.xmlsoap.org/wsdl/"\
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:interface="{VIM}">
 <import location="vim.wsdl" namespace="{VIM}"/>
 <service name="VimService">
  <port name="VimPort" binding="interface:VimBinding">
   <soap:address location="https://localhost/sdk"/>
  </port>
 </service>
</definitions>
"""


def differences(path, text):
    """One line on how a file differs from what it should be, or None."""
    if not path.exists():
        return f"{path.name}: missing"
    old = path.read_text(encoding="utf-8")
    if old == text:
        return None
    before, after = old.splitlines(), text.splitlines()
    removed = collections.Counter(before) - collections.Counter(after)
    added = collections.Counter(after) - collections.Counter(before)
    pairs = enumerate(zip(before + [None], after + [None]), 1)
    first = next((number for number, (a, b) in pairs if a != b), min(len(before), len(after)) + 1)
    return f"{path.name}: +{added.total()} -{removed.total()} lines, first at line {first}"


def print_stats(catalog, files):
    kinds = {kind: [t for t in catalog.types.values() if isinstance(t, kind)] for kind in (Data, Enum, Managed)}
    data, managed = kinds[Data], kinds[Managed]
    methods = [m for t in managed for m in t.methods]
    counts = {
        "data types": len(data),
        "of them faults": sum(catalog.is_fault(t.vmodl) for t in data),
        "fields": sum(len(t.fields) for t in data),
        "enums": len(kinds[Enum]),
        "enum values": sum(len(t.values) for t in kinds[Enum]),
        "managed objects": len(managed),
        "properties": sum(len(t.properties) for t in managed),
        "methods": len(methods),
        "of them tasks": sum(m.task_result is not None for m in methods),
        "parameters": sum(len(m.params) for m in methods),
        "versions": len(catalog.versions),
    }
    for label, count in counts.items():
        print(f"{count:8} {label}")
    for name, text in files.items():
        print(f"{len(text.encode()):8} bytes {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--stats", action="store_true", help="print counts and sizes")
    options = parser.parse_args()
    catalog = Catalog(type_tables())
    files = dict(schema_files(catalog))
    files["vim.wsdl"] = vim_wsdl(catalog)
    files["vimService.wsdl"] = SERVICE_WSDL
    if options.stats:
        print_stats(catalog, files)
    changed = [line for name, text in files.items() if (line := differences(HERE / name, text))]
    if options.check:
        print("\n".join(changed) or "wsdl/ is up to date")
        return 1 if changed else 0
    for name, text in files.items():
        (HERE / name).write_text(text, encoding="utf-8", newline="\n")
    print("\n".join(changed) or "nothing changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
