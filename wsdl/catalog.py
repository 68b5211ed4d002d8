"""The facts behind the schema: the type tables of pyvmomi, and what they leave out.

Imported by generate.py, whose docstring says what becomes of them.
"""

import ast
import collections
import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys

PYVMOMI = "9.1.1.0"
HERE = pathlib.Path(__file__).resolve().parent

VIM = "urn:vim25"
REFLECT = "urn:reflect"

# Flags of a field, parameter or result, as pyvmomi names and numbers them.
LINK, LINKABLE, OPTIONAL, SECRET = 1, 2, 4, 8
FLAGS = {"F_LINK": LINK, "F_LINKABLE": LINKABLE, "F_OPTIONAL": OPTIONAL, "F_SECRET": SECRET}

# vmodl name -> XSD scalar; in this order their array types open core-types.xsd.
SCALARS = {
    "boolean": "boolean",
    "byte": "byte",
    "short": "short",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "string": "string",
    "vmodl.DateTime": "dateTime",
    "vmodl.URI": "anyURI",
    "vmodl.Binary": "base64Binary",
    "anyType": "anyType",
}
STRING_ALIASES = ("vmodl.TypeName", "vmodl.MethodName", "vmodl.PropertyPath")

V0, V1 = "vmodl.version.version0", "vmodl.version.version1"

# The one field that holds a fault itself and not a LocalizedMethodFault.
BARE_FAULT = "fault of LocalizedMethodFault"

Field = collections.namedtuple("Field", "name type version flags privilege", defaults=(None,))
Data = collections.namedtuple("Data", "vmodl name base version fields")
Enum = collections.namedtuple("Enum", "vmodl name version values")
Managed = collections.namedtuple("Managed", "vmodl name base version properties methods")
Method = collections.namedtuple(
    "Method", "vmodl name version params result task_result result_flags privilege faults owner"
)

# pyvmomi declares these three in code, with its own ideas (a msg field; LocalizedMethodFault as a
# fault). Here they are as they travel.
FAULT_ROOTS = [
    Data("vmodl.MethodFault", "MethodFault", None, V0, [
        Field("faultCause", "vmodl.MethodFault", V1, OPTIONAL),
        Field("faultMessage", "vmodl.LocalizableMessage[]", V1, OPTIONAL),
    ]),
    Data("vmodl.RuntimeFault", "RuntimeFault", "vmodl.MethodFault", V0, []),
    Data("vmodl.LocalizedMethodFault", "LocalizedMethodFault", "vmodl.DynamicData", V0, [
        Field("fault", BARE_FAULT, V0, 0),
        Field("localizedMessage", "string", V0, OPTIONAL),
    ]),
]

# vmodl.reflect is not part of pyvmomi, though its versions are. "?" is optional; a capitalised
# type is one of this table. A fourth part is the base.
REFLECT_VERSION = "vmodl.reflect.version.version1"
REFLECT_DATA = [
    ("Annotation", "DynamicTypeMgrAnnotation", "name string, parameter string[]?"),
    ("PropertyTypeInfo", "DynamicTypeMgrPropertyTypeInfo",
     "name string, version string, type string, privId string?, msgIdFormat string?, annotation Annotation[]?"),
    ("DataTypeInfo", "DynamicTypeMgrDataTypeInfo",
     "name string, wsdlName string, version string, base string[]?, property PropertyTypeInfo[]?,"
     " annotation Annotation[]?"),
    ("ParamTypeInfo", "DynamicTypeMgrParamTypeInfo",
     "name string, version string, type string, privId string?, annotation Annotation[]?"),
    ("MethodTypeInfo", "DynamicTypeMgrMethodTypeInfo",
     "name string, wsdlName string, version string, paramTypeInfo ParamTypeInfo[]?,"
     " returnTypeInfo ParamTypeInfo?, fault string[]?, privId string?, annotation Annotation[]?"),
    ("ManagedTypeInfo", "DynamicTypeMgrManagedTypeInfo",
     "name string, wsdlName string, version string, base string[]?, property PropertyTypeInfo[]?,"
     " method MethodTypeInfo[]?, annotation Annotation[]?"),
    ("EnumTypeInfo", "DynamicTypeEnumTypeInfo",
     "name string, wsdlName string, version string, value string[]?, annotation Annotation[]?"),
    ("AllTypeInfo", "DynamicTypeMgrAllTypeInfo",
     "managedTypeInfo ManagedTypeInfo[]?, enumTypeInfo EnumTypeInfo[]?, dataTypeInfo DataTypeInfo[]?"),
    ("MoInstance", "DynamicTypeMgrMoInstance", "id string, moType string"),
    ("FilterSpec", "DynamicTypeMgrFilterSpec", ""),
    ("TypeFilterSpec", "DynamicTypeMgrTypeFilterSpec", "typeSubstr string?", "FilterSpec"),
    ("MoFilterSpec", "DynamicTypeMgrMoFilterSpec", "id string?, typeSubstr string?", "FilterSpec"),
    ("SoapArgument", "ReflectManagedMethodExecuterSoapArgument", "name string, val string"),
    ("SoapFault", "ReflectManagedMethodExecuterSoapFault", "faultMsg string, faultDetail string?"),
    ("SoapResult", "ReflectManagedMethodExecuterSoapResult", "response string?, fault SoapFault?"),
]
REFLECT_ENUMS = [
    ("PropertyTypeInfo.AnnotationType", "DynamicTypeMgrPropertyTypeInfoAnnotationType",
     ["optional", "readonly", "linkable", "link"]),
    ("ParamTypeInfo.AnnotationType", "DynamicTypeMgrParamTypeInfoAnnotationType", ["optional", "secret"]),
    ("MethodTypeInfo.AnnotationType", "DynamicTypeMgrMethodTypeInfoAnnotationType", ["internal"]),
]
REFLECT_MANAGED = [
    ("DynamicTypeManager", "InternalDynamicTypeManager", [
        ("queryTypeInfo", "DynamicTypeMgrQueryTypeInfo", "filterSpec FilterSpec?", "AllTypeInfo", "System.Read"),
        ("queryMoInstances", "DynamicTypeMgrQueryMoInstances", "filterSpec FilterSpec?", "MoInstance[]?",
         "System.Read"),
    ]),
    ("ManagedMethodExecuter", "ReflectManagedMethodExecuter", [
        ("executeSoap", "ExecuteSoap", "moid string, version string, method string, argument SoapArgument[]?",
         "SoapResult?", None),
        ("fetchSoap", "FetchSoap", "moid string, version string, prop string", "SoapResult?", None),
    ]),
]
# The way to the two above from a host: methods of HostSystem that pyvmomi leaves out.
REFLECT_DOORS = [
    ("retrieveDynamicTypeManager", "RetrieveDynamicTypeManager", "vmodl.reflect.DynamicTypeManager"),
    ("retrieveManagedMethodExecuter", "RetrieveManagedMethodExecuter", "vmodl.reflect.ManagedMethodExecuter"),
]


def type_tables():
    """The folder of the pinned pyvmomi, installed under target/ if need be."""
    try:
        if importlib.metadata.version("pyvmomi") == PYVMOMI:
            return pathlib.Path(importlib.util.find_spec("pyVmomi").submodule_search_locations[0])
    except importlib.metadata.PackageNotFoundError:
        pass
    venv = HERE.parent / "target" / f"pyvmomi-{PYVMOMI}"
    done = venv / "installed"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
             f"pyvmomi=={PYVMOMI}"],
            check=True, stdout=sys.stderr,
        )
        done.touch()
    where = "import importlib.util as u; print(u.find_spec('pyVmomi').submodule_search_locations[0])"
    found = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True)
    return pathlib.Path(found.stdout.strip())


def literal(node):
    """The value of an argument: constants, lists, tuples, and flags joined by |."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Name):
        return FLAGS[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return literal(node.left) | literal(node.right)
    raise ValueError(f"line {node.lineno}: not a literal")


def calls(path):
    """Every call of a table file at its top level: (function name, arguments)."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Name):
                yield function.id, [literal(argument) for argument in node.value.args]


class Catalog:
    """All types in declaration order, and what their names and versions mean."""

    def __init__(self, tables):
        self.types = {}
        self.ids = {}
        self.uri_names = {}
        self.parents = collections.defaultdict(set)
        for part in ("core", "query", "vim"):
            for function, arguments in calls(tables / f"_typeinfo_{part}.py"):
                self.read(function, arguments)
            if part == "core":
                for data in FAULT_ROOTS:
                    self.add(data)
                self.add(Managed("vmodl.ManagedObject", "ManagedObject", None, V0, [], []))
        self.add_reflect()
        self.rank_versions()
        self.check_names()

    def read(self, function, arguments):
        if function == "CreateDataType":
            vmodl, name, base, version, fields = arguments
            # DataObject is a class of pyvmomi's, not a type of the schema.
            base = None if base == "vmodl.DataObject" else base
            # The two generic fields of DynamicData never travel.
            fields = [] if vmodl == "vmodl.DynamicData" else [Field(*f) for f in fields or []]
            self.add(Data(vmodl, name, base, version, fields))
        elif function == "CreateEnumType":
            self.add(Enum(*arguments))
        elif function == "CreateManagedType":
            vmodl, name, base, version, properties, methods = arguments
            methods = [self.method(name, *row) for row in methods or []]
            self.add(Managed(vmodl, name, base, version, [Field(*p) for p in properties or []], methods))
        elif function == "AddVersion":
            version, uri_name, version_id = arguments[:3]
            self.ids[version] = version_id
            self.uri_names[version] = uri_name
        elif function == "AddVersionParent":
            version, parent = arguments
            self.parents[version].add(parent)

    @staticmethod
    def method(owner, vmodl, name, version, params, result, privilege, faults):
        flags, returned, declared = result
        task_result = declared if returned == "vim.Task" else None
        return Method(vmodl, name, version, [Field(*p) for p in params], returned, task_result, flags,
                      privilege, faults or [], owner)

    def add(self, item):
        if item.vmodl in self.types:
            raise ValueError(f"{item.vmodl} is declared twice")
        self.types[item.vmodl] = item

    def add_reflect(self):
        version = REFLECT_VERSION
        paths = {}
        for row in REFLECT_DATA:
            owner = "ManagedMethodExecuter" if row[0].startswith("Soap") else "DynamicTypeManager"
            paths[row[0]] = f"vmodl.reflect.{owner}.{row[0]}"

        def typed(text):
            flags = OPTIONAL if text.endswith("?") else 0
            text = text.rstrip("?")
            item = text.removesuffix("[]")
            return paths.get(item, item) + text[len(item):], flags

        def fields(text):
            rows = []
            for part in filter(None, text.split(",")):
                name, kind = part.split()
                type_name, flags = typed(kind)
                rows.append(Field(name, type_name, version, flags))
            return rows

        for short, name, methods in REFLECT_MANAGED:
            rows = []
            for vmodl, wsdl, params, result, privilege in methods:
                returned, flags = typed(result)
                rows.append(Method(vmodl, wsdl, version, fields(params), returned, None, flags, privilege, [], name))
            self.add(Managed(f"vmodl.reflect.{short}", name, "vmodl.ManagedObject", version, [], rows))
        for short, name, text, *base in REFLECT_DATA:
            parent = paths[base[0]] if base else "vmodl.DynamicData"
            self.add(Data(paths[short], name, parent, version, fields(text)))
        for short, name, values in REFLECT_ENUMS:
            self.add(Enum(f"vmodl.reflect.DynamicTypeManager.{short}", name, version, values))
        host = self.types["vim.HostSystem"].methods
        for vmodl, wsdl, returned in REFLECT_DOORS:
            host.append(Method(vmodl, wsdl, "vim.version.version7", [], returned, None, OPTIONAL, "System.Read", [],
                               "HostSystem"))

    def rank_versions(self):
        """Order the versions of vim: each includes all before it. Milestone builds have a hash for an id."""
        released = [v for v in self.ids if v.startswith("vim.version.") and self.ids[v][:1].isdigit()]
        self.versions = sorted(released, key=lambda v: sum(p in self.parents[v] for p in released))
        for earlier, later in zip(self.versions, self.versions[1:]):
            if earlier not in self.parents[later]:
                raise ValueError(f"{later} does not include {earlier}")
        self.ranks = {}
        for version in self.ids:
            ranks = (rank for rank, v in enumerate(self.versions) if v == version or version in self.parents[v])
            self.ranks[version] = next(ranks, None)

    def rank(self, version):
        rank = self.ranks[version]
        if rank is None:
            raise ValueError(f"{version} is in no released API version")
        return rank

    def since(self, version):
        return self.ids[self.versions[self.rank(version)]]

    def check_names(self):
        """XSD has one space for type names and one for elements, WSDL one for operations."""
        names = collections.Counter((namespace(t.vmodl), t.name) for t in self.types.values())
        for t in self.types.values():
            if isinstance(t, Managed):
                for m in t.methods:
                    names[namespace(t.vmodl), request_type(m)] += 1
                    names["operation", m.name] += 1
        clashes = [name for name, count in names.items() if count > 1]
        if clashes:
            raise ValueError(f"names that clash: {clashes}")

    def is_fault(self, vmodl):
        while vmodl is not None:
            if vmodl == "vmodl.MethodFault":
                return True
            vmodl = getattr(self.types.get(vmodl), "base", None)
        return False

    def qname(self, vmodl):
        """The qualified XSD name of a data type or enum."""
        prefix = "reflect" if namespace(vmodl) == REFLECT else "vim25"
        return f"{prefix}:{self.types[vmodl].name}"

    def shape(self, type_name, flags):
        """What a declared type is in XSD: (type, maxOccurs, attributes for its annotation)."""
        item = type_name.removesuffix("[]")
        many = "unbounded" if item != type_name else None
        notes = {}
        if flags & SECRET:
            notes["secret"] = "true"
        if flags & LINK:
            notes["link"] = "true"
            return "xsd:string", many, notes
        if flags & LINKABLE:
            notes["linkable"] = "true"
        if item in SCALARS:
            return "xsd:" + SCALARS[item], many, notes
        if item in STRING_ALIASES:
            return "xsd:string", many, {"vmodl": item, **notes}
        if item == BARE_FAULT:
            return "vim25:MethodFault", many, notes
        if self.is_fault(item):
            narrower = {} if item == "vmodl.MethodFault" else {"fault": self.types[item].name}
            return "vim25:LocalizedMethodFault", many, {**narrower, **notes}
        if isinstance(self.types[item], Managed):
            return "vim25:ManagedObjectReference", many, {"ref": self.types[item].name, **notes}
        return self.qname(item), many, notes

    def of(self, kind, folder):
        return [t for t in self.types.values() if isinstance(t, kind) and folder_of(t.vmodl) == folder]

    def methods(self, folder):
        return [m for t in self.of(Managed, folder) for m in t.methods]


def folder_of(vmodl):
    """Which pair of files a type belongs to."""
    if vmodl == "vmodl.ManagedObject" or vmodl.startswith("vim."):
        return "vim"
    for folder in ("query", "reflect"):
        if vmodl.startswith(f"vmodl.{folder}."):
            return folder
    return "core"


def namespace(vmodl):
    return REFLECT if folder_of(vmodl) == "reflect" else VIM


def request_type(method):
    return method.name.removesuffix("_Task") + "RequestType"
